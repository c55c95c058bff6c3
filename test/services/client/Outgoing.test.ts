import { assert, describe, it } from "@effect/vitest"
import { Cause, Exit, Option } from "effect"
import { ClientError, ClientErrorReason, type ServerFailure } from "../../../src/services/client/ClientError.ts"
import type { Encodable } from "../../../src/services/client/CommandOutput.ts"
import { Link } from "../../../src/services/client/Link.ts"
import { Outgoing, type OutgoingSettings, tickInterval } from "../../../src/services/client/Outgoing.ts"
import { PublishCounts } from "../../../src/services/client/PublishCounts.ts"
import type { Publishing } from "../../../src/services/client/Publishing.ts"
import { fakeConnection } from "./fakeConnection.ts"

/** Servers that are not connected, as a test sets them. */
interface Absent {
  isPending: boolean
  failures: ReadonlyArray<ServerFailure>
}

const unreachable = (address: string): ServerFailure => ({
  address,
  error: new ClientError({ reason: ClientErrorReason.ConnectFailure({ address, description: "connection refused" }) })
})

const bytesOf = (command: Encodable): string => {
  const bytes = Buffer.alloc(command.size)
  command.encodeTo(bytes, 0)
  return bytes.toString()
}

/** A connected server: the bodies that it was sent, and why its connection was ended. */
const server = (address: string) => {
  const { connection } = fakeConnection(address)
  const received: Array<string> = []
  const dropped: Array<string> = []
  const encode = (command: Encodable): void => void received.push(bytesOf(command).slice(4))
  return { received, dropped, link: new Link({ ...connection, encode }, (reason) => void dropped.push(reason)) }
}

/** The publishes of a test, and their results in the order of completion. */
const program = (changed: Partial<OutgoingSettings> = {}) => {
  let now = 0
  const servers: Absent = { isPending: true, failures: [] }
  const counts = new PublishCounts()
  const outgoing = new Outgoing({
    maxInFlight: 100,
    waitForServer: true,
    resend: true,
    silenceLimit: 600,
    publishTimeout: 30_000,
    sticky: false,
    servers,
    counts,
    now: () => now,
    onBusy: () => {},
    ...changed
  })
  const results: Array<string> = []
  const publish = (body: string, key?: string): Publishing =>
    outgoing.add(
      { topic: "t", head: Buffer.alloc(0), body: Buffer.from(body), size: 4 + body.length, messages: 1, key },
      (result) =>
        void results.push(Exit.match(result, {
          onSuccess: () => `${body} ok`,
          onFailure: (cause) => {
            const { reason } = Option.getOrThrow(Cause.findErrorOption(cause))
            return `${body} ${reason._tag}: ${"description" in reason ? reason.description : ""}`
          }
        }))
    )
  /** Lets time pass in steps of a tick. */
  const wait = (millis: number): void => {
    for (const end = now + millis; now < end;) {
      now += tickInterval
      outgoing.tick()
    }
  }
  outgoing.tick()
  return { outgoing, results, publish, wait, servers, counts, advance: (millis: number) => void (now += millis) }
}

describe("Outgoing", () => {
  it("publishes wait for a server, go to the servers in turn, and replies settle them in order", () => {
    const { outgoing, publish, results } = program()
    const [a, b] = [server("a"), server("b")]
    publish("1")
    outgoing.connect(a.link)
    outgoing.connect(b.link)
    for (const body of ["2", "3", "4"]) publish(body)
    assert.deepStrictEqual([...a.received, ...b.received].sort(), ["1", "2", "3", "4"])
    assert.deepStrictEqual([a.received.length, b.received.length], [2, 2])
    outgoing.reply(b.link, undefined)
    outgoing.reply(a.link, undefined)
    assert.deepStrictEqual(results, [`${b.received[0]} ok`, `${a.received[0]} ok`])
  })

  it("no more than maxInFlight publishes are unconfirmed, and a reply lets the next one go", () => {
    const { outgoing, publish } = program({ maxInFlight: 2 })
    const a = server("a")
    outgoing.connect(a.link)
    for (const body of ["1", "2", "3"]) publish(body)
    assert.deepStrictEqual(a.received, ["1", "2"])
    outgoing.reply(a.link, undefined)
    assert.deepStrictEqual(a.received, ["1", "2", "3"])
  })

  it("a refused publish fails with the server's error, and its neighbours succeed", () => {
    const { outgoing, publish, results } = program()
    const a = server("a")
    outgoing.connect(a.link)
    for (const body of ["1", "2", "3"]) publish(body)
    outgoing.reply(a.link, undefined)
    outgoing.reply(a.link, "E_BAD_MESSAGE")
    outgoing.reply(a.link, undefined)
    assert.deepStrictEqual(results, ["1 ok", "2 PublishRefused: E_BAD_MESSAGE", "3 ok"])
  })

  it("the unconfirmed publishes of a lost server go to another one before newer ones", () => {
    const { outgoing, publish, results } = program({ maxInFlight: 2 })
    const [a, b] = [server("a"), server("b")]
    outgoing.connect(a.link)
    for (const body of ["1", "2", "3"]) publish(body)
    outgoing.lose(a.link)
    assert.deepStrictEqual(results, [])
    outgoing.connect(b.link)
    assert.deepStrictEqual(b.received, ["1", "2"])
    outgoing.reply(b.link, undefined)
    assert.deepStrictEqual([b.received, results], [["1", "2", "3"], ["1 ok"]])
  })

  it("with resend false the publishes of a lost server fail, and those that wait do not", () => {
    const { outgoing, publish, results } = program({ maxInFlight: 1, resend: false })
    const [a, b] = [server("a"), server("b")]
    outgoing.connect(a.link)
    publish("1")
    publish("2")
    outgoing.lose(a.link)
    assert.deepStrictEqual(results, ["1 UnknownOutcome: a: connection lost"])
    outgoing.connect(b.link)
    assert.deepStrictEqual(b.received, ["2"])
  })

  it("with waitForServer false a publish fails once every known server is known to be unavailable", () => {
    const { outgoing, publish, results, servers } = program({ waitForServer: false })
    publish("1")
    servers.failures = [unreachable("a")]
    outgoing.serversChanged()
    assert.deepStrictEqual(results, [])
    servers.failures = [unreachable("a"), unreachable("b")]
    servers.isPending = false
    outgoing.serversChanged()
    publish("2")
    const description = "NoServer: no nsqd is connected: a: connection refused; b: connection refused"
    assert.deepStrictEqual(results, [`1 ${description}`, `2 ${description}`])
  })

  it("a silent server's publishes go to a server that replies, and late replies are not counted twice", () => {
    const { outgoing, publish, results, wait } = program()
    const [a, b] = [server("a"), server("b")]
    outgoing.connect(a.link)
    publish("1")
    outgoing.connect(b.link)
    wait(500)
    assert.deepStrictEqual(b.received, [])
    wait(100)
    assert.deepStrictEqual(b.received, ["1"])
    outgoing.reply(a.link, "E_LATE")
    assert.deepStrictEqual(results, [])
    outgoing.reply(b.link, undefined)
    outgoing.reply(b.link, undefined)
    assert.deepStrictEqual(results, ["1 ok"])
  })

  it("a long pause of the process makes no server silent", () => {
    const { advance, outgoing, publish } = program()
    const [a, b] = [server("a"), server("b")]
    outgoing.connect(a.link)
    publish("1")
    outgoing.connect(b.link)
    advance(20_000)
    outgoing.tick()
    assert.deepStrictEqual([b.received, a.link.silence], [[], 2 * tickInterval])
  })

  it("a server that does not reply for the publish timeout is disconnected", () => {
    const { outgoing, publish, wait } = program({ publishTimeout: 1000 })
    const a = server("a")
    outgoing.connect(a.link)
    publish("1")
    wait(900)
    assert.deepStrictEqual(a.dropped, [])
    wait(200)
    assert.deepStrictEqual(a.dropped, ["no reply to a publish in time"])
  })

  it("expired publishes fail, and state whether they may have arrived", () => {
    const { counts, outgoing, publish, results, servers, wait } = program({ maxInFlight: 1, publishTimeout: 200 })
    publish("unsent")
    servers.failures = [unreachable("a")]
    wait(200)
    outgoing.connect(server("b").link)
    publish("sent")
    publish("waiting")
    wait(200)
    assert.deepStrictEqual(results, [
      "unsent NoServer: no nsqd is connected: a: connection refused",
      "sent PublishTimedOut: no reply in time",
      "waiting PublishTimedOut: no reply in time"
    ])
    assert.strictEqual(counts.pending, 0)
  })

  it("publishes that have failed or were interrupted leave nothing behind, and nothing to tick for", () => {
    const { counts, outgoing, publish, results, wait } = program({ publishTimeout: 1000 })
    for (let i = 0; i < 125_000; i++) publish("x")
    const interrupted = Array.from({ length: 125_000 }, () => publish("y"))
    for (const publishing of interrupted) {
      outgoing.abandon(publishing)
      assert.deepStrictEqual([publishing.waiting, publishing.chain], [undefined, undefined])
    }
    assert.strictEqual(counts.pending, 125_000)
    assert.isFalse(outgoing.isIdle)
    wait(1000)
    assert.deepStrictEqual([results.length, counts.pending, outgoing.isIdle], [125_000, 0, true])
  })

  it("a publish whose result is known keeps no bytes, even if its server never replies", () => {
    const { outgoing, publish, wait } = program({ publishTimeout: 1000 })
    const a = server("a")
    outgoing.connect(a.link)
    const [expired, interrupted] = [publish("1"), publish("2")]
    outgoing.abandon(interrupted)
    wait(900)
    assert.strictEqual(interrupted.size, 0)
    assert.strictEqual(bytesOf(expired), "\0\0\0\u00011")
    wait(100)
    assert.strictEqual(expired.size, 0)
  })

  it("a closed producer fails what waits and what is published later", () => {
    const { outgoing, publish, results } = program({ maxInFlight: 1 })
    outgoing.connect(server("a").link)
    publish("sent")
    publish("waiting")
    outgoing.close()
    publish("later")
    assert.deepStrictEqual(results, [
      "sent UnknownOutcome: the producer was closed before a reply",
      "waiting Closed: the producer is closed",
      "later Closed: the producer is closed"
    ])
  })

  it("with sticky, one server gets all publishes until it is silent or lost", () => {
    const { outgoing, publish, wait } = program({ sticky: true })
    const [a, b] = [server("a"), server("b")]
    outgoing.connect(a.link)
    outgoing.connect(b.link)
    for (const body of ["1", "2", "3"]) publish(body)
    assert.deepStrictEqual([a.received, b.received], [["1", "2", "3"], []])
    wait(200)
    publish("4")
    outgoing.reply(b.link, undefined)
    outgoing.reply(a.link, undefined)
    publish("5")
    assert.deepStrictEqual([a.received, b.received], [["1", "2", "3"], ["4", "5"]])
    outgoing.lose(b.link)
    assert.deepStrictEqual(a.received, ["1", "2", "3", "5"])
  })

  it("publishes with the same key go to one server, and only the keys of a lost server move", () => {
    const { outgoing, publish } = program({ maxInFlight: 1000 })
    const all = ["a:1", "b:1", "c:1"].map(server)
    for (const { link } of all) outgoing.connect(link)
    const keys = Array.from({ length: 60 }, (_, i) => `key${i}`)
    const place = () => {
      for (const key of keys) publish(key, key)
      return new Map(keys.map((key) => [key, all.findIndex(({ received }) => received.includes(key))]))
    }
    const before = place()
    for (const { received } of all) assert.isAbove(received.splice(0).length, 5)
    assert.deepStrictEqual(place(), before)
    for (const { received } of all) received.splice(0)
    outgoing.lose(all[2]!.link)
    for (const { received } of all) received.splice(0)
    for (const [key, index] of place()) if (before.get(key) !== 2) assert.strictEqual(index, before.get(key))
  })

  it("an abandoned publish has no result and frees its place", () => {
    const { outgoing, publish, results } = program({ maxInFlight: 1 })
    const a = server("a")
    outgoing.connect(a.link)
    const first = publish("1")
    const second = publish("2")
    publish("3")
    outgoing.abandon(second)
    // The server has one unconfirmed publish until it replies.
    outgoing.abandon(first)
    assert.deepStrictEqual(a.received, ["1"])
    outgoing.reply(a.link, undefined)
    assert.deepStrictEqual([a.received, results], [["1", "3"], []])
    outgoing.reply(a.link, undefined)
    assert.deepStrictEqual(results, ["3 ok"])
  })

  it("the first reply of a server records that it has served, and so does a refusal", () => {
    const { outgoing, publish } = program()
    let served = 0
    const link = new Link(fakeConnection("a").connection, () => {}, () => served++)
    outgoing.connect(link)
    publish("1")
    assert.strictEqual(served, 0)
    outgoing.reply(link, "E_BAD_MESSAGE")
    assert.strictEqual(served, 1)
  })

  it("a reply to nothing has no effect", () => {
    const { outgoing, publish, results } = program()
    const a = server("a")
    outgoing.connect(a.link)
    outgoing.reply(a.link, undefined)
    publish("1")
    assert.deepStrictEqual(results, [])
  })
})
