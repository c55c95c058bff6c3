import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Broker, Clients } from "../../../../../src/broker.ts"
import { type Command, type CommandName, commandNames } from "../../../../../src/protocol/client/Command.ts"
import { ChannelName, TopicName } from "../../../../../src/protocol/client/Names.ts"
import { AuthError } from "../../../../../src/services/nsqd/auth/AuthError.ts"
import { Authorizer, type Credentials } from "../../../../../src/services/nsqd/auth/Authorizer.ts"
import type { Grant } from "../../../../../src/services/nsqd/auth/Grant.ts"
import { ProtocolClient, TestBroker } from "../../../../../src/testing/index.ts"
import * as UnusedTls from "../../../net/unusedTls.ts"

const topic = TopicName.make("t")
const channel = ChannelName.make("c")
const body = Buffer.from("x")
const id = "0123456789abcdef"

/** Shorter than the time to the first heartbeat. */
const ttlMillis = 20_000

const grant = (permits: Grant["permits"]): Grant => ({
  identity: "me",
  identityUrl: "http://id",
  permissionCount: 1,
  ttlMillis,
  permits
})

/** Grants by the secret. A secret that ends with `, once` is valid for one query. */
const authorizer = () => {
  const asked: Array<Credentials> = []
  const times = new Map<string, number>()
  const query: Authorizer["query"] = (credentials) => {
    asked.push(credentials)
    const secret = String(Redacted.value(credentials.secret))
    times.set(secret, (times.get(secret) ?? 0) + 1)
    const [role, how] = secret.split(", ")
    if (how === "once" && times.get(secret) !== 1) return Effect.fail(AuthError.refusal("gone"))
    switch (role) {
      case "everything":
        return Effect.succeed(grant(() => true))
      case "publish":
        return Effect.succeed(grant((topic, channel) => topic === "t" && channel === ""))
      case "subscribe":
        return Effect.succeed(grant((topic, channel) => topic === "t" && channel === "c"))
      case "nothing":
        return Effect.succeed({ ...grant(() => false), permissionCount: 0 })
      default:
        return Effect.fail(AuthError.refusal("unknown secret"))
    }
  }
  return { asked, query }
}

const brokerOf = (authorizer: Authorizer | undefined, options = {}) =>
  TestBroker.layer(options).pipe(Layer.provide(Layer.succeed(Authorizer, authorizer)))

const connect = ProtocolClient.connect(TestBroker.address)

const authenticated = Effect.fnUntraced(function*(secret: string) {
  const client = yield* connect
  yield* client.send({ _tag: "AUTH", secret: Buffer.from(secret) })
  assert.strictEqual(yield* client.text, "{\"identity\":\"me\",\"identity_url\":\"http://id\",\"permission_count\":1}")
  return client
})

/** The roles, as newly connected clients. */
const roles = {
  "no credential": connect,
  "publish only": authenticated("publish"),
  "subscribe only": authenticated("subscribe"),
  "expired": Effect.tap(authenticated("everything, once"), () => TestClock.adjust(ttlMillis + 1))
}
type Role = keyof typeof roles

const commands: { readonly [Name in CommandName]: Command } = {
  IDENTIFY: { _tag: "IDENTIFY", body: Buffer.from("{}") },
  AUTH: { _tag: "AUTH", secret: Buffer.from("publish") },
  SUB: { _tag: "SUB", topic, channel },
  PUB: { _tag: "PUB", topic, body },
  MPUB: { _tag: "MPUB", topic, bodies: [body, body] },
  DPUB: { _tag: "DPUB", topic, deferMillis: 1, body },
  HPUB: { _tag: "HPUB", topic, deferMillis: 0, headers: { a: "1" }, body },
  RDY: { _tag: "RDY", count: 1 },
  FIN: { _tag: "FIN", id },
  REQ: { _tag: "REQ", id, delayMillis: 0 },
  TOUCH: { _tag: "TOUCH", id },
  CLS: { _tag: "CLS" },
  NOP: { _tag: "NOP" }
}

/** The response to a command by role; roles that are not listed are denied. */
const allowed: { readonly [Name in CommandName]: { readonly [R in Role]?: string } } = {
  IDENTIFY: { "no credential": "OK", "publish only": "OK", "subscribe only": "OK", "expired": "OK" },
  AUTH: { "no credential": "{\"identity\":\"me\",\"identity_url\":\"http://id\",\"permission_count\":1}" },
  SUB: { "subscribe only": "OK" },
  PUB: { "publish only": "OK" },
  MPUB: { "publish only": "OK" },
  DPUB: { "publish only": "OK" },
  HPUB: { "publish only": "OK" },
  // Only for subscribed clients.
  RDY: {},
  FIN: {},
  REQ: {},
  TOUCH: {},
  CLS: {},
  // Has no response: the next command's is checked.
  NOP: { "no credential": "OK", "publish only": "OK", "subscribe only": "OK", "expired": "OK" }
}

const denials: { readonly [R in Role]: (command: CommandName) => string } = {
  "no credential": (command) => `E_AUTH_FIRST AUTH required before ${command}`,
  "publish only": (command) => `E_UNAUTHORIZED AUTH failed for ${command} on "t" "${command === "SUB" ? "c" : ""}"`,
  "subscribe only": (command) => `E_UNAUTHORIZED AUTH failed for ${command} on "t" ""`,
  "expired": () => "E_AUTH_FAILED AUTH failed"
}

const denial = (role: Role, command: CommandName): string => {
  switch (command) {
    case "SUB":
    case "PUB":
    case "MPUB":
    case "DPUB":
    case "HPUB":
      return denials[role](command)
    case "AUTH":
      return "E_INVALID AUTH already set"
    default:
      return `E_INVALID cannot ${command} in current state`
  }
}

const names: ReadonlyArray<Role> = ["no credential", "publish only", "subscribe only", "expired"]

const topics = Broker.useSync((broker) => Array.from(broker.topics(), ({ name }) => name))

describe("with an auth server", () => {
  for (const role of names) {
    for (const command of commandNames) {
      const answer = allowed[command][role]
      it.effect(`${command} is ${answer === undefined ? "denied to" : "allowed for"} a client with the role: ${role}`, () =>
        Effect.gen(function*() {
          const client = yield* roles[role]
          yield* client.send(commands[command])
          if (command === "NOP") yield* client.send(commands.IDENTIFY)
          assert.strictEqual(yield* client.text, answer ?? denial(role, command))
          if (answer === undefined) {
            assert.isUndefined(yield* client.text, "the connection is closed")
            assert.deepStrictEqual(yield* topics, [])
          }
        }).pipe(Effect.provide(brokerOf(authorizer()))))
    }
  }

  it.effect("a subscriber may execute the commands of a consumer, also after its grant has expired", () =>
    Effect.gen(function*() {
      const consumer = yield* authenticated("subscribe, once")
      yield* consumer.send(commands.SUB, { _tag: "RDY", count: 1 })
      assert.strictEqual(yield* consumer.text, "OK")
      const publisher = yield* authenticated("publish")
      yield* TestClock.adjust(ttlMillis + 1)
      yield* consumer.send(commands.NOP)
      yield* publisher.send(commands.PUB)
      const { id } = yield* consumer.message
      yield* consumer.send({ _tag: "TOUCH", id }, { _tag: "REQ", id, delayMillis: 0 })
      const again = yield* consumer.message
      yield* consumer.send({ _tag: "FIN", id: again.id }, commands.CLS)
      assert.strictEqual(yield* consumer.text, "CLOSE_WAIT")
    }).pipe(Effect.provide(brokerOf(authorizer()))))

  it.effect("other topics and channels are denied, also in the middle of a pipeline", () =>
    Effect.gen(function*() {
      const other = TopicName.make("other")
      const publisher = yield* authenticated("publish")
      yield* publisher.send(commands.PUB, commands.PUB, { _tag: "PUB", topic: other, body }, commands.PUB)
      assert.deepStrictEqual([yield* publisher.text, yield* publisher.text], ["OK", "OK"])
      assert.strictEqual(yield* publisher.text, "E_UNAUTHORIZED AUTH failed for PUB on \"other\" \"\"")
      assert.isUndefined(yield* publisher.text)
      const consumer = yield* authenticated("subscribe")
      yield* consumer.send({ _tag: "SUB", topic, channel: ChannelName.make("other") })
      assert.strictEqual(yield* consumer.text, "E_UNAUTHORIZED AUTH failed for SUB on \"t\" \"other\"")
      assert.deepStrictEqual(yield* topics, ["t"])
    }).pipe(Effect.provide(brokerOf(authorizer()))))

  it.effect("a malformed MPUB creates no topic for a client that may not publish to it", () =>
    Effect.gen(function*() {
      const malformed = "MPUB t\n\x7f\xff\xff\xff"
      const denied = yield* authenticated("subscribe")
      yield* denied.raw(Buffer.from(malformed, "latin1"))
      assert.strictEqual(yield* denied.text, "E_UNAUTHORIZED AUTH failed for MPUB on \"t\" \"\"")
      assert.deepStrictEqual(yield* topics, [])
      const permitted = yield* authenticated("publish")
      yield* permitted.raw(Buffer.from(malformed, "latin1"))
      assert.match((yield* permitted.text) ?? "", /^E_BAD_BODY MPUB body too big/)
      assert.deepStrictEqual(yield* topics, ["t"])
    }).pipe(Effect.provide(brokerOf(authorizer()))))

  it.effect("an expired grant is renewed once, and the client continues if it still has the permission", () => {
    const server = authorizer()
    return Effect.gen(function*() {
      const client = yield* authenticated("publish")
      yield* client.send(commands.PUB, commands.PUB)
      assert.deepStrictEqual([yield* client.text, yield* client.text], ["OK", "OK"])
      assert.strictEqual(server.asked.length, 1)
      yield* TestClock.adjust(ttlMillis + 1)
      yield* client.send(commands.PUB, commands.MPUB, commands.PUB)
      assert.deepStrictEqual([yield* client.text, yield* client.text, yield* client.text], ["OK", "OK", "OK"])
      assert.strictEqual(server.asked.length, 2)
    }).pipe(Effect.provide(brokerOf(server)))
  })

  it.effect("a client without permissions, or unknown to the server, is refused without a reason", () =>
    Effect.gen(function*() {
      for (
        const [secret, answer] of [
          ["nothing", "E_UNAUTHORIZED AUTH no authorizations found"],
          ["stranger", "E_AUTH_FAILED AUTH failed"]
        ] as const
      ) {
        const client = yield* connect
        yield* client.send({ _tag: "AUTH", secret: Buffer.from(secret) })
        assert.strictEqual(yield* client.text, answer)
        assert.isUndefined(yield* client.text)
      }
    }).pipe(Effect.provide(brokerOf(authorizer()))))

  it.effect("the server gets the client's credentials, and statistics show its identity", () => {
    const server = authorizer()
    return Effect.gen(function*() {
      yield* authenticated("publish")
      const [credentials] = server.asked
      assert.deepStrictEqual({ ...credentials, secret: "" }, {
        secret: "",
        remoteIp: "127.0.0.1",
        tls: false,
        commonName: ""
      })
      assert.notMatch(JSON.stringify(credentials) + String(credentials?.secret), /publish/)
      const [stats] = yield* Clients.useSync((clients) => Array.from(clients.all(), (client) => client.stats()))
      assert.deepStrictEqual([stats?.identity?.identity, stats?.identity?.identityUrl], ["me", "http://id"])
    }).pipe(Effect.provide(brokerOf(server)))
  })

  it.effect("the IDENTIFY response states that AUTH is required", () =>
    Effect.gen(function*() {
      const client = yield* connect
      yield* client.send({ _tag: "IDENTIFY", body: Buffer.from("{\"feature_negotiation\":true}") })
      assert.match((yield* client.text) ?? "", /"auth_required":true/)
    }).pipe(Effect.provide(brokerOf(authorizer()))))

  it.effect("AUTH before a required TLS upgrade is refused without a query", () => {
    const server = authorizer()
    return Effect.gen(function*() {
      const client = yield* connect
      yield* client.send(commands.AUTH)
      assert.strictEqual(yield* client.text, "E_INVALID cannot AUTH in current state (TLS required)")
      assert.deepStrictEqual(server.asked, [])
    }).pipe(Effect.provide(brokerOf(server, { tlsRequired: true }).pipe(Layer.provide(UnusedTls.layer))))
  })
})

describe("without an auth server", () => {
  it.effect("AUTH is disabled and everything is allowed", () =>
    Effect.gen(function*() {
      const client = yield* connect
      yield* client.send(commands.PUB, commands.SUB)
      assert.deepStrictEqual([yield* client.text, yield* client.text], ["OK", "OK"])
      const other = yield* connect
      yield* other.send(commands.AUTH)
      assert.strictEqual(yield* other.text, "E_AUTH_DISABLED AUTH disabled")
      assert.isUndefined(yield* other.text)
    }).pipe(Effect.provide(brokerOf(undefined))))
})
