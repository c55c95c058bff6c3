import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Stats } from "../../../src/protocol/http/StatsResponse.ts"
import type { Sample } from "../../../src/services/cli/TopSample.ts"
import { Screen } from "../../../src/services/cli/TopScreen.ts"

const decode = Schema.decodeUnknownSync(Stats)

const client = (id: string, finished: number) => ({
  client_id: id,
  remote_address: "10.0.0.9:4000",
  ready_count: 100,
  in_flight_count: 7,
  finish_count: finished
})

/** One nsqd with the topics orders and payments, after that many messages of orders. */
const sample = (millis: number, messages: number, finished: number): Sample => ({
  millis,
  failures: [],
  nodes: [{
    address: "10.0.0.1:4151",
    stats: decode({
      topics: [
        {
          topic_name: "orders",
          depth: 1,
          message_count: messages,
          channels: [
            {
              channel_name: "kitchen",
              depth: 20,
              in_flight_count: 7,
              client_count: 2,
              message_count: messages,
              clients: [client("cook", finished), client("waiter", 0)]
            },
            { channel_name: "archive", depth: 3000, message_count: messages, paused: true }
          ]
        },
        { topic_name: "payments", depth: 5, message_count: 5, channels: [] }
      ]
    })
  }]
})

const press = (screen: Screen, ...names: ReadonlyArray<string>): boolean =>
  names.map((name) => screen.press({ name, shift: false })).every((goesOn) => goesOn)

const plain = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  // oxlint-disable-next-line no-control-regex -- the styles of the terminal
  lines.map((line) => line.replaceAll(/\u001b\[\d+m/g, "").trimEnd())

const show = (screen: Screen, ...samples: ReadonlyArray<Sample>): void => {
  for (const each of samples) screen.show(each, screen.scope)
}

describe("Screen", () => {
  it("80 columns and 24 lines have totals, topics by backlog with rates, and the keys", () => {
    const screen = new Screen()
    show(screen, sample(0, 4000, 0), sample(2000, 5000, 0))
    const lines = plain(screen.lines(80, 24))
    assert.strictEqual(lines.length, 24)
    assert.isTrue(lines.every((line) => line.length <= 80))
    assert.strictEqual(lines[0], "nsq top  1 nsqd  2 topics  backlog 3,006  500 in/s")
    assert.deepStrictEqual(lines.slice(2, 5).map((line) => line.replaceAll(/ {2,}/g, " | ")), [
      "TOPIC | vBACKLOG | IN FLIGHT | IN/S | CHANNELS | CLIENTS",
      "orders | 3,001 | 7 | 500 | 2 | 2",
      "payments | 5 | 0 | 0 | 0 | 0"
    ])
    assert.match(lines[23] ?? "", /q quit$/)
  })

  it("s and r and digits change the order", () => {
    const screen = new Screen()
    show(screen, sample(0, 10, 0))
    const names = (): ReadonlyArray<string | undefined> =>
      plain(screen.lines(80, 24)).slice(3, 5).map((line) => line.split(" ")[0])
    assert.deepStrictEqual(names(), ["orders", "payments"])
    press(screen, "r")
    assert.deepStrictEqual(names(), ["payments", "orders"])
    press(screen, "1")
    assert.deepStrictEqual(names(), ["orders", "payments"])
    press(screen, "r")
    assert.deepStrictEqual(names(), ["payments", "orders"])
    press(screen, "s")
    assert.deepStrictEqual(names(), ["orders", "payments"])
  })

  it("enter opens the channels of a topic and the clients of a channel, left goes back to the selected row", () => {
    const screen = new Screen()
    show(screen, sample(0, 10, 0))
    press(screen, "down", "up", "enter")
    assert.deepStrictEqual(screen.scope, { topic: "orders", channel: undefined })
    assert.strictEqual(plain(screen.lines(80, 24))[0], "nsq top  waiting for the first response")
    show(screen, sample(0, 100, 0), sample(1000, 200, 0))
    const channels = plain(screen.lines(80, 24))
    assert.strictEqual(channels[1], "topics > orders")
    assert.match(channels[3] ?? "", /^archive \(paused\) +3,000 +0 +0 +100 +0 +0$/)
    press(screen, "down", "enter")
    assert.deepStrictEqual(screen.scope, { topic: "orders", channel: "kitchen" })
    show(screen, sample(0, 10, 0), sample(1000, 10, 50))
    const clients = plain(screen.lines(80, 24))
    assert.strictEqual(clients[1], "topics > orders > kitchen")
    assert.match(clients[3] ?? "", /^cook 10.* +10\.0\.0\.1:4151 +100 +7 +50 +0$/)
    press(screen, "enter", "left")
    show(screen, sample(0, 10, 0))
    assert.include(screen.lines(80, 24)[4] ?? "", "[7mkitchen")
  })

  it("a sample that was requested before the view changed is not shown", () => {
    const screen = new Screen()
    const { scope } = screen
    show(screen, sample(0, 10, 0))
    press(screen, "enter")
    screen.show(sample(0, 10, 0), scope)
    assert.strictEqual(plain(screen.lines(80, 24))[0], "nsq top  waiting for the first response")
  })

  it("the selected row stays on a small screen, and what did not respond is in the last line", () => {
    const screen = new Screen()
    show(screen, { ...sample(0, 10, 0), failures: ["10.0.0.2:4151: connection refused"] })
    press(screen, "down")
    const lines = plain(screen.lines(40, 5))
    assert.strictEqual(lines.length, 5)
    assert.isTrue(lines[3]?.startsWith("payments"))
    assert.strictEqual(lines[4], "10.0.0.2:4151: connection refused")
    assert.isFalse(press(screen, "q"))
  })
})
