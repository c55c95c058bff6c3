import { assert, describe, it } from "@effect/vitest"
import {
  Link,
  Outgoing,
  type OutgoingSettings,
  type Publishing,
  tickInterval
} from "../../../src/services/client/Outgoing.ts"
import { fakeConnection } from "./fakeConnection.ts"

const settings: OutgoingSettings = {
  maxInFlight: 100,
  waitForServer: true,
  resend: true,
  silenceLimit: 600,
  publishTimeout: 30_000
}

/** A connected server: what it was sent, and why its connection was ended. */
const server = (address: string) => {
  const { connection, sent: received } = fakeConnection(address)
  const dropped: Array<string> = []
  return { received, dropped, link: new Link(connection, (reason) => void dropped.push(reason)) }
}

/** The publishes of a test, and their results in the order of completion. */
const program = (changed: Partial<OutgoingSettings> = {}) => {
  const outgoing = new Outgoing({ ...settings, ...changed })
  const results: Array<string> = []
  const publish = (body: string, deadline = 30_000): Publishing => {
    const publishing: Publishing = {
      topic: "t",
      bytes: Buffer.from(body),
      deadline,
      link: undefined,
      sent: false,
      settled: false,
      settle: (failure) =>
        void results.push(
          failure === undefined ? `${body} ok` : `${body} ${failure.reason._tag}: ${failure.reason.description}`
        )
    }
    outgoing.add(publishing)
    return publishing
  }
  /** Lets time pass in steps of a tick. */
  let now = 0
  const wait = (millis: number): void => {
    for (const end = now + millis; now < end;) outgoing.tick(now += tickInterval)
  }
  outgoing.tick(now)
  return { outgoing, results, publish, wait }
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
    assert.deepStrictEqual(results, ["1 ok", "2 MessageRefusal: E_BAD_MESSAGE", "3 ok"])
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

  it("with waitForServer false a publish fails once no server is known to be available", () => {
    const { outgoing, publish, results } = program({ waitForServer: false })
    publish("1")
    assert.deepStrictEqual(results, [])
    outgoing.noteUnavailable("a: connection refused")
    publish("2")
    assert.deepStrictEqual(results, ["1 NoServer: a: connection refused", "2 NoServer: a: connection refused"])
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
    const { outgoing, publish } = program()
    const [a, b] = [server("a"), server("b")]
    outgoing.connect(a.link)
    publish("1")
    outgoing.connect(b.link)
    outgoing.tick(20_000)
    assert.deepStrictEqual([b.received, a.link.silence], [[], 2 * tickInterval])
  })

  it("a server that does not reply for the publish timeout is disconnected", () => {
    const { outgoing, publish, wait } = program({ publishTimeout: 1000 })
    const a = server("a")
    outgoing.connect(a.link)
    publish("1", 1000)
    wait(900)
    assert.deepStrictEqual(a.dropped, [])
    wait(100)
    assert.deepStrictEqual(a.dropped, ["no reply to a publish in time"])
  })

  it("expired publishes fail, and state whether they may have arrived", () => {
    const { outgoing, publish, results, wait } = program({ maxInFlight: 1 })
    publish("unsent", 100)
    wait(100)
    outgoing.connect(server("a").link)
    publish("sent", 300)
    publish("waiting", 300)
    wait(200)
    assert.deepStrictEqual(results, [
      "unsent NoServer: no nsqd is connected",
      "waiting NoServer: no reply in time",
      "sent UnknownOutcome: no reply in time"
    ])
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

  it("a reply to nothing has no effect", () => {
    const { outgoing, publish, results } = program()
    const a = server("a")
    outgoing.connect(a.link)
    outgoing.reply(a.link, undefined)
    publish("1")
    assert.deepStrictEqual(results, [])
  })
})
