import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as DaemonRequests from "../../../src/services/http/DaemonRequests.ts"
import * as DaemonNetworks from "../../../src/services/net/DaemonNetworks.ts"
import * as Stat from "../../../src/services/tools/Stat.ts"
import { Idle, untilIdle } from "../../../src/testing/index.ts"
import * as Cluster from "./cluster.ts"

const networks = DaemonNetworks.make([])

const flags = { ...Stat.defaults(), topic: "t", channel: "c", nsqdHttpAddresses: ["a:1"] }

/** The lines that `nsq_stat` prints before it ends, and its error. */
const printed = Effect.fnUntraced(function*(
  respond: (url: URL) => Cluster.Reply,
  options: Partial<Stat.StatOptions> = {},
  sources: Parameters<typeof Stat.poll>[1] = { nsqd: ["a:1"] }
) {
  let out = ""
  const print = (text: string) => Effect.sync(() => void (out += text))
  const polling = Stat.poll({ ...flags, count: 1, ...options }, sources, print).pipe(
    Effect.provide(DaemonRequests.layer(flags).pipe(Layer.provide(Cluster.layer(respond)))),
    // The addresses of these tests do not exist.
    Effect.provideService(DaemonNetworks.HostResolver, () => Effect.succeed(["10.0.0.1"])),
    Effect.provideService(DaemonNetworks.DaemonNetworks, { ...networks, originBy: () => Effect.succeed("loopback") }),
    Effect.match({ onSuccess: () => "", onFailure: ({ message }) => message })
  )
  const fiber = yield* Effect.forkChild(polling)
  while (fiber.pollUnsafe() === undefined) {
    // The responses arrive before the clock goes on.
    yield* untilIdle
    yield* TestClock.adjust("1 second")
  }
  return { lines: out.split("\n").slice(0, -1), error: yield* Fiber.join(fiber) }
}, Effect.provide(Idle.layer))

describe("nsq_stat", () => {
  it.effect("nsq_stat prints the changes since the last line as rates, truncated to integers", () =>
    Effect.gen(function*() {
      const states = [{ message_count: 0, depth: 0 }, { message_count: 25, depth: 30, backend_depth: 10 }, {
        message_count: 25,
        depth: 1
      }]
      let polls = 0
      const respond = Cluster.nsqd("a:1", () => states[polls++ >> 1] ?? {})
      const { error, lines } = yield* printed(respond, { count: 2 })
      assert.strictEqual(error, "")
      assert.deepStrictEqual(lines.slice(2), [
        "     12      -2 |      30      20      10     0     0 |       0       0           25       0",
        "      0      14 |       1       1       0     0     0 |       0       0           25       0"
      ])
    }))

  it.effect("nsq_stat repeats the header every 25 polls", () =>
    Effect.gen(function*() {
      const { lines } = yield* printed(Cluster.nsqd("a:1", () => ({})), { count: 50 })
      const headers = lines.flatMap((line, i) => line.startsWith("---") ? [i] : [])
      assert.deepStrictEqual(headers, [0, 26, 53])
      assert.lengthOf(lines, 50 + 3 * 2)
    }))

  it.effect("nsq_stat adds up the nsqd that nsqlookupd returns, each once", () =>
    Effect.gen(function*() {
      const producers = [{ broadcast_address: "a", http_port: 1 }, { broadcast_address: "::1", http_port: 2 }]
      const [a, b] = [
        Cluster.nsqd("a:1", () => ({ depth: 2, client_count: 1 })),
        Cluster.nsqd("[::1]:2", () => ({ depth: 3, timeout_count: 4 }))
      ]
      const respond = (url: URL) => url.pathname === "/lookup" ? { producers } : a(url) ?? b(url)
      const { error, lines } = yield* printed(respond, {}, { lookupd: ["l:1", "l:2"] })
      assert.strictEqual(error, "")
      assert.match(lines[2] ?? "", /\| +5 +5 +0 +0 +0 \| +0 +4 +0 +1$/)
    }))

  it.effect("nsq_stat requests by HTTPS if nsqd requires it", () =>
    Effect.gen(function*() {
      const requested: Array<string> = []
      const stats = Cluster.nsqd("a:9", () => ({}))
      const { error } = yield* printed((url) => {
        requested.push(url.origin)
        return url.protocol === "http:" ? [403, "{\"message\":\"TLS_REQUIRED\",\"https_port\":9}"] : stats(url)
      })
      assert.strictEqual(error, "")
      assert.deepStrictEqual(requested.slice(0, 2), ["http://a:1", "https://a:9"])
    }))

  it.effect("nsq_stat ends when any daemon fails or its response is not valid", () =>
    Effect.gen(function*() {
      const end = (
        respond: (url: URL) => Cluster.Reply,
        sources: Parameters<typeof Stat.poll>[1] = { nsqd: ["a:1"] }
      ) => Effect.map(printed(respond, {}, sources), ({ error }) => error)
      const fine = Cluster.nsqd("a:1", () => ({}))
      const url = "http://a:1/stats?format=json&topic=t&include_clients=false"
      const prefix = "ERROR: failed to get topic producers - "
      assert.strictEqual(
        yield* end(() => undefined),
        `${prefix}failed to query any nsqd: Get "${url}": connect ECONNREFUSED`
      )
      assert.strictEqual(
        yield* end(() => "silent"),
        `${prefix}failed to query any nsqd: Get "${url}": request timeout`
      )
      assert.strictEqual(
        yield* end(() => [500, "no \"luck\""]),
        `${prefix}failed to query any nsqd: got response 500 Internal Server Error of a:1`
      )
      assert.match(yield* end(() => [200, "{}"]), /: invalid response$/)
      // One of two responses is not enough.
      assert.match(
        yield* end(fine, { nsqd: ["a:1", "b:1"] }),
        /producers - Get "http:\/\/b:1\/.*": connect ECONNREFUSED$/
      )
    }))

  it.effect("nsq_stat ends when no nsqd has the topic or the channel", () =>
    Effect.gen(function*() {
      const others = yield* printed(Cluster.nsqd("a:1", () => ({ channel_name: "other" })))
      assert.strictEqual(others.error, "ERROR: failed to find channel(c) in stats metadata for topic(t)")
      const none = yield* printed(() => ({ topics: [] }))
      assert.strictEqual(none.error, "ERROR: failed to get nsqd stats - failed to query any nsqd: ")
    }))
})
