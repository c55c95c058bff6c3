import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Broker, consume as consumeHere } from "../../../../src/broker.ts"
import { AuthError } from "../../../../src/services/nsqd/auth/AuthError.ts"
import { Authorizer } from "../../../../src/services/nsqd/auth/Authorizer.ts"
import { until } from "../../../../src/testing/index.ts"
import { quiet } from "../broker/testing.ts"
import { type Api, outcome, refusal, requestTo, serve } from "./api.ts"
import { open, subscribe } from "./subscriber.ts"

const post = ({ request }: Api, path: string, body = "") => Effect.map(request("POST", path, body), outcome)
const get = ({ request }: Api, path: string) => Effect.map(request("GET", path), outcome)
const publish = (api: Api, ...bodies: ReadonlyArray<string>) =>
  Effect.forEach(bodies, (body) => post(api, "/pub?topic=t", body), { discard: true })
const channelOf = ({ broker }: Api) => broker.findTopic("t")?.channel("c")

describe("GET /sub", () => {
  it.live("a consumer receives the subscription, then an event for each message it is ready for", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port, "&rdy=2")
      assert.strictEqual(consumer.response.statusCode, 200)
      assert.strictEqual(consumer.response.headers["content-type"], "text/event-stream")
      assert.match(consumer.id, /^[0-9a-f]{32}$/)
      assert.deepStrictEqual(consumer.settings, {
        subscription: consumer.id,
        rdy: 2,
        msg_timeout: 60_000,
        heartbeat: 30_000
      })
      yield* publish(api, "a\nb \"<ü>\"", "second", "third")
      const message = yield* consumer.next
      assert.strictEqual(message.event, "message")
      assert.match(message.id, /^[0-9a-f]{16}$/)
      assert.strictEqual(message.data["id"], message.id)
      assert.strictEqual(message.data["attempts"], 1)
      assert.strictEqual(message.data["body"], "a\nb \"<ü>\"")
      assert.isAbove(Number(message.data["timestamp"]), 1e18)
      assert.strictEqual((yield* consumer.next).data["body"], "second")
      assert.strictEqual(channelOf(api)?.depth, 1)
      assert.strictEqual(yield* post(api, `/sub/finish?subscription=${consumer.id}&id=${message.id}`), "200")
      assert.strictEqual((yield* consumer.next).data["body"], "third")
      assert.strictEqual(channelOf(api)?.inFlightCount, 2)
    }))

  it.live("a body that is not UTF-8 is sent in base64", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port)
      yield* api.request("POST", "/pub?topic=t", Buffer.from([0xff, 0, 1]))
      const { data } = yield* consumer.next
      assert.strictEqual(data["body_base64"], "/wAB")
      assert.notProperty(data, "body")
    }))

  it.live("the parameters are checked in a fixed order, and nothing is created for wrong ones", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const at = (query: string) => get(api, `/sub?${query}`)
      assert.strictEqual(yield* at("topic=%zz"), refusal(400, "INVALID_REQUEST"))
      assert.strictEqual(yield* at("channel=c"), refusal(400, "MISSING_ARG_TOPIC"))
      assert.strictEqual(yield* at("topic=a%20b"), refusal(400, "INVALID_ARG_TOPIC"))
      assert.strictEqual(yield* at("topic=t"), refusal(400, "MISSING_ARG_CHANNEL"))
      assert.strictEqual(yield* at("topic=t&channel=*"), refusal(400, "INVALID_ARG_CHANNEL"))
      for (const rdy of ["0", "2501", "-1", "1.5", ""]) {
        assert.strictEqual(yield* at(`topic=t&channel=c&rdy=${rdy}`), refusal(400, "INVALID_ARG_RDY"))
      }
      assert.strictEqual(
        yield* at("topic=t&channel=c&msg_timeout=900001"),
        refusal(400, "INVALID_ARG_MSG_TIMEOUT")
      )
      assert.strictEqual(yield* at("topic=t&channel=c&heartbeat=999"), refusal(400, "INVALID_ARG_HEARTBEAT"))
      assert.strictEqual(
        yield* at(`topic=t&channel=c&client_id=${"x".repeat(257)}`),
        refusal(400, "INVALID_ARG_CLIENT_ID")
      )
      assert.deepStrictEqual(api.broker.topics(), [])
    }))

  it.live("/stats shows the consumer as a client of the channel", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* subscribe(api.port, "&client_id=me&rdy=7", { "user-agent": "agent/1" })
      yield* until(() => Array.from(api.clients.all()).some((client) => client.stats().readyCount === 7))
      assert.match(
        yield* api.stats(),
        /"client_id":"me","hostname":"127.0.0.1","version":"HTTP","remote_address":"127.0.0.1:\d+","state":3,.*"user_agent":"agent\/1"/
      )
    }))

  it.effect("a comment is sent at each heartbeat without a message", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port, "&heartbeat=5000")
      for (let i = 0; i < 3; i++) {
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual((yield* consumer.next).data, { text: "heartbeat" })
      }
    }).pipe(Effect.provide(quiet)))

  it.effect("a consumer that does not read is closed after two heartbeats, and its messages are requeued", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const slow = yield* open(api.port, "/sub?topic=t&channel=c&rdy=100&heartbeat=5000&msg_timeout=900000")
      const big = "x".repeat(1_000_000)
      for (let i = 0; i < 30; i++) yield* api.request("POST", "/pub?topic=t", big)
      yield* until(() => (channelOf(api)?.inFlightCount ?? 0) > 0)
      // The channel keeps what the connection cannot take.
      assert.isAbove(channelOf(api)?.depth ?? 0, 0)
      const isClosing = () => api.log.some((line) => /WARNING: HTTP: closing consumer\(127.0.0.1:\d+\)/.test(line))
      // It begins to wait for the client in a later round of the event loop.
      while (!isClosing()) yield* TestClock.adjust("5 seconds")
      yield* until(() => channelOf(api)?.subscriptions.length === 0)
      assert.strictEqual(channelOf(api)?.inFlightCount, 0)
      assert.strictEqual(channelOf(api)?.depth, 30)
      yield* slow.read
      yield* slow.closed
    }))

  it.live("a slow reader receives everything in the end", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const slow = yield* open(api.port, "/sub?topic=t&channel=c&rdy=100")
      const big = "x".repeat(1_000_000)
      for (let i = 0; i < 20; i++) yield* api.request("POST", "/pub?topic=t", big)
      yield* slow.read
      assert.strictEqual((yield* slow.next).event, "subscribed")
      for (let i = 0; i < 20; i++) assert.strictEqual(String((yield* slow.next).data["body"]).length, 1_000_000)
    }))

  it.live("the messages of a consumer that disconnects are requeued", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(subscribe(api.port), scope)
      yield* publish(api, "x")
      const { id } = yield* first.next
      yield* Scope.close(scope, Exit.void)
      const second = yield* subscribe(api.port)
      const again = yield* second.next
      assert.deepStrictEqual([again.id, again.data["attempts"]], [id, 2])
      assert.strictEqual(
        yield* post(api, `/sub/finish?subscription=${first.id}&id=${id}`),
        refusal(404, "SUBSCRIPTION_NOT_FOUND")
      )
    }))

  it.live("the stream ends when its channel is deleted", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port)
      yield* post(api, "/channel/delete?topic=t&channel=c")
      yield* consumer.closed
      assert.isTrue(consumer.response.complete)
      assert.strictEqual(Array.from(api.clients.all()).length, 0)
    }))

  it.live("a request that announces a body leaves no subscription behind", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* api.raw("GET /sub?topic=t&channel=c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
      yield* until(() => channelOf(api)?.subscriptions.length === 0)
    }))
})

describe("POST /sub/...", () => {
  it.effect("a requeued message is delivered again, at once or after its delay", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port)
      yield* publish(api, "x")
      const { id } = yield* consumer.next
      const requeue = (defer: string) => post(api, `/sub/requeue?subscription=${consumer.id}&id=${id}${defer}`)
      assert.strictEqual(yield* requeue(""), "200")
      assert.strictEqual((yield* consumer.next).data["attempts"], 2)
      assert.strictEqual(yield* requeue("&defer=3600001"), refusal(400, "INVALID_DEFER"))
      assert.strictEqual(yield* requeue("&defer=10000"), "200")
      assert.strictEqual(channelOf(api)?.deferredCount, 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* consumer.next).data["attempts"], 3)
    }).pipe(Effect.provide(quiet)))

  it.live("a rejected message becomes a dead letter with the reason", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port, "&rdy=2")
      yield* publish(api, "x", "y")
      const reject = (id: string, reason = "") => post(api, `/sub/reject?subscription=${consumer.id}&id=${id}${reason}`)
      const x = yield* consumer.next
      assert.strictEqual(yield* reject(x.id, "&reason=not%20JSON"), "200")
      assert.strictEqual(yield* reject(x.id), refusal(404, "MESSAGE_NOT_IN_FLIGHT"))
      assert.strictEqual(yield* reject((yield* consumer.next).id), "200")
      yield* until(() => channelOf(api)?.deadLetterCount === 2)
      const reasons = yield* consumeHere("t.dlq", "c", { maxInFlight: 2 }).pipe(
        Stream.take(2),
        Stream.map(({ headers }) => headers["nsq-dead-reason"]),
        Stream.runCollect,
        Effect.provideService(Broker, api.broker)
      )
      assert.deepStrictEqual(reasons, ["not JSON", "rejected"])
    }))

  it.effect("touch resets the timeout of a message, and a message that times out is redelivered", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port, "&msg_timeout=10000")
      yield* publish(api, "x")
      const { id } = yield* consumer.next
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual(yield* post(api, `/sub/touch?subscription=${consumer.id}&id=${id}`), "200")
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual(channelOf(api)?.inFlightCount, 1)
      assert.strictEqual(channelOf(api)?.timeoutCount, 0)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* consumer.next).data["attempts"], 2)
      assert.strictEqual(channelOf(api)?.timeoutCount, 1)
    }).pipe(Effect.provide(quiet)))

  it.live("ready changes how many messages are in flight, and 0 pauses the consumer", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port)
      const ready = (rdy: string) => post(api, `/sub/ready?subscription=${consumer.id}${rdy}`)
      assert.strictEqual(yield* ready(""), refusal(400, "MISSING_ARG_RDY"))
      assert.strictEqual(yield* ready("&rdy=2501"), refusal(400, "INVALID_ARG_RDY"))
      assert.strictEqual(yield* ready("&rdy=0"), "200")
      yield* publish(api, "a", "b")
      assert.strictEqual(channelOf(api)?.depth, 2)
      assert.strictEqual(yield* ready("&rdy=2"), "200")
      assert.strictEqual((yield* consumer.next).data["body"], "a")
      assert.strictEqual((yield* consumer.next).data["body"], "b")
    }))

  it.live("a message can be acknowledged by its own subscription only, and once", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const owner = yield* subscribe(api.port)
      yield* publish(api, "x")
      const { id } = yield* owner.next
      const other = yield* subscribe(api.port)
      for (const verb of ["finish", "requeue", "touch"]) {
        const at = (query: string) => post(api, `/sub/${verb}?${query}`)
        assert.strictEqual(yield* at(`id=${id}`), refusal(400, "MISSING_ARG_SUBSCRIPTION"))
        assert.strictEqual(yield* at(`subscription=1&id=${id}`), refusal(404, "SUBSCRIPTION_NOT_FOUND"))
        assert.strictEqual(yield* at(`subscription=${owner.id}`), refusal(400, "MISSING_ARG_ID"))
        assert.strictEqual(yield* at(`subscription=${owner.id}&id=1`), refusal(400, "INVALID_ARG_ID"))
        assert.strictEqual(yield* at(`subscription=${other.id}&id=${id}`), refusal(403, "MESSAGE_NOT_OWNED"))
      }
      const finish = post(api, `/sub/finish?subscription=${owner.id}&id=${id}`)
      assert.strictEqual(yield* finish, "200")
      assert.strictEqual(yield* finish, refusal(404, "MESSAGE_NOT_IN_FLIGHT"))
    }))

  it.live("no log line contains the id of a subscription", () =>
    Effect.gen(function*() {
      const api = yield* serve({ logLevel: "debug" })
      const { id } = yield* subscribe(api.port)
      yield* post(api, `/sub/ready?subscription=${id}&rdy=3`)
      assert.isTrue(api.log.some((line) => line.includes("GET /sub?")))
      assert.isFalse(api.log.some((line) => line.includes(id)))
    }))
})

describe("limits of consumers over HTTP", () => {
  it.live("a consumer above --max-http-consumers is refused, and a disconnect makes room", () =>
    Effect.gen(function*() {
      const api = yield* serve({ maxHttpConsumers: 1 })
      const scope = yield* Scope.make()
      yield* Scope.provide(subscribe(api.port), scope)
      assert.strictEqual(yield* get(api, "/sub?topic=t&channel=c"), refusal(503, "TOO_MANY_CONSUMERS"))
      yield* Scope.close(scope, Exit.void)
      yield* until(() => channelOf(api)?.subscriptions.length === 0)
      yield* subscribe(api.port)
    }))

  it.live("--max-channel-consumers applies, and a refused consumer takes no place", () =>
    Effect.gen(function*() {
      const api = yield* serve({ maxHttpConsumers: 2, maxChannelConsumers: 1 })
      yield* subscribe(api.port)
      for (let i = 0; i < 3; i++) {
        assert.strictEqual(
          yield* get(api, "/sub?topic=t&channel=c"),
          refusal(403, "TOO_MANY_CONSUMERS: consumers for t:c exceeds limit of 1")
        )
      }
    }))
})

describe("authorization of consumers over HTTP", () => {
  const authorizer: Authorizer = {
    query: ({ secret }) =>
      Redacted.value(secret).toString() === "s3cret"
        ? Effect.succeed({
          identity: "me",
          identityUrl: "",
          permissionCount: 1,
          ttlMillis: 1000,
          permits: (topic, channel) => topic === "t" && channel === "c"
        })
        : Effect.fail(AuthError.refusal("unknown secret"))
  }

  it.live("a consumer needs the permissions of SUB for the secret in its header", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const at = (channel: string, headers: Record<string, string>) =>
        requestTo({ host: "127.0.0.1", port: api.port }, "GET", `/sub?topic=t&channel=${channel}`, undefined, headers)
      const anonymous = yield* at("c", {})
      assert.strictEqual(outcome(anonymous), refusal(401, "AUTH_REQUIRED"))
      assert.strictEqual(anonymous.headers["www-authenticate"], "Bearer")
      assert.strictEqual(outcome(yield* at("c", { authorization: "Basic eDp5" })), refusal(401, "AUTH_REQUIRED"))
      assert.strictEqual(outcome(yield* at("c", { authorization: "Bearer wrong" })), refusal(401, "AUTH_FAILED"))
      assert.strictEqual(outcome(yield* at("other", { authorization: "Bearer s3cret" })), refusal(403, "UNAUTHORIZED"))
      assert.deepStrictEqual(api.broker.topics(), [])
      yield* subscribe(api.port, "", { authorization: "Bearer s3cret" })
      assert.include(yield* api.stats(), `"authed":true,"auth_identity":"me"`)
      assert.isFalse(api.log.some((line) => line.includes("s3cret")))
    }).pipe(Effect.provideService(Authorizer, authorizer)))
})
