import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Socket } from "node:net"
import { ChannelName } from "../../src/protocol/client/Names.ts"
import { body, type Client, connect, open, text, topic } from "./client.ts"
import * as Daemon from "./daemon.ts"

const timeout = 480_000
const count = 10_000

/** Invalid or incomplete input; `ends` states whether nsqd closes the connection or waits for more. */
const invalidInputs: ReadonlyArray<readonly [name: string, bytes: Buffer, ends: boolean]> = [
  ["garbage", Buffer.from("\x00\xff\x01\xfe".repeat(1000), "latin1"), true],
  ["a TLS hello", Buffer.from("16030100c8010000c40303", "hex"), true],
  ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: nsqd\r\n\r\n"), true],
  ["an endless line", Buffer.concat([Buffer.from("  V2"), Buffer.alloc(100_000, 65)]), true],
  ["a body of two gigabytes", Buffer.from("  V2PUB test\n\x7f\xff\xff\xff", "latin1"), true],
  ["a negative body", Buffer.from("  V2PUB test\n\xff\xff\xff\xff", "latin1"), true],
  [
    "a million messages announced in an MPUB",
    Buffer.from("  V2MPUB test\n\x00\x40\x00\x00\x00\x0f\x42\x40", "latin1"),
    false
  ],
  ["half a command", Buffer.from("  V2PUB te"), false],
  ["half a body", Buffer.from("  V2PUB test\n\x00\x00\x10\x00half", "latin1"), false]
]

const ended = (socket: Socket): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (socket.destroyed || socket.readableEnded) return resume(Effect.void)
    socket.resume()
    socket.once("end", () => resume(Effect.void))
    socket.once("close", () => resume(Effect.void))
  })

/** Publishes a message and receives it. */
const roundTrip = Effect.fnUntraced(function*(client: Client, word: string) {
  assert.strictEqual(yield* client.ask({ _tag: "PUB", topic, body: body(word) }), "OK")
  const message = yield* client.message
  assert.strictEqual(text(message), word)
  yield* client.send({ _tag: "FIN", id: message.id })
})

const subscribed = Effect.fnUntraced(function*(daemon: Daemon.Daemon, channel: string, ready: number) {
  const client = yield* connect(daemon)
  assert.strictEqual(yield* client.ask({ _tag: "SUB", topic, channel: ChannelName.make(channel) }), "OK")
  yield* client.send({ _tag: "RDY", count: ready })
  return client
})

describe("a daemon with faulty peers", () => {
  it.live(
    "a daemon serves a correct client and its memory does not grow while faulty peers connect",
    () =>
      Effect.gen(function*() {
        const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory)
        const good = yield* subscribed(daemon, "good", 1)
        yield* roundTrip(good, "before")
        const before = yield* daemon.residentBytes
        for (const [name, bytes, ends] of invalidInputs) {
          for (let i = 0; i < 20; i++) {
            const socket = yield* open(daemon)
            socket.write(bytes)
            if (ends) yield* ended(socket)
          }
          yield* roundTrip(good, name)
        }
        for (let i = 0; i < 100; i++) {
          const socket = yield* open(daemon)
          socket.write("  V2SUB test resets\n")
          socket.resetAndDestroy()
        }
        yield* roundTrip(good, "after")
        assert.isBelow((yield* daemon.residentBytes) - before, 100_000_000)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon buffers little for a consumer that does not read, and requeues its messages when it disconnects",
    () =>
      Effect.gen(function*() {
        const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory, ["--max-rdy-count=100000"])
        const deaf = yield* subscribed(daemon, "c", 0)
        deaf.socket.pause()
        const publisher = yield* connect(daemon)
        const large = Buffer.alloc(100_000)
        for (let i = 0; i < 2000; i++) {
          yield* publisher.send({ _tag: "PUB", topic, body: large })
        }
        for (let i = 0; i < 2000; i++) assert.strictEqual(yield* publisher.answer, "OK")
        const before = yield* daemon.residentBytes
        yield* deaf.send({ _tag: "RDY", count: 100_000 })
        yield* roundTrip(yield* subscribed(daemon, "other#ephemeral", 1), "still there")
        assert.isBelow((yield* daemon.residentBytes) - before, 100_000_000)
        deaf.socket.destroy()
        const reader = yield* subscribed(daemon, "c", 2500)
        for (let i = 0; i < 2001; i++) yield* reader.send({ _tag: "FIN", id: (yield* reader.message).id })
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon delivers each message once per channel to hundreds of clients",
    () =>
      Effect.gen(function*() {
        const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory)
        const consumers = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, i) => i % 2 === 0 ? "even" : "odd"),
          (channel) => Effect.map(subscribed(daemon, channel, 10), (client) => ({ channel, client })),
          { concurrency: 50 }
        )
        const seen = { even: new Map<string, number>(), odd: new Map<string, number>() }
        const publishing = Effect.forEach(
          Array.from({ length: 100 }, (_, i) => i),
          (publisher) =>
            Effect.scoped(Effect.gen(function*() {
              const client = yield* connect(daemon)
              for (let i = publisher; i < count; i += 100) {
                assert.strictEqual(yield* client.ask({ _tag: "PUB", topic, body: body(i) }), "OK")
              }
            })),
          { concurrency: "unbounded", discard: true }
        )
        const consuming = consumers.map(({ channel, client }) =>
          Effect.gen(function*() {
            const mine = channel === "even" ? seen.even : seen.odd
            while (seen.even.size + seen.odd.size < 2 * count) {
              const message = yield* client.message
              yield* client.send({ _tag: "FIN", id: message.id })
              mine.set(text(message), (mine.get(text(message)) ?? 0) + 1)
            }
          })
        )
        yield* Effect.raceAllFirst([Effect.andThen(publishing, Effect.never), ...consuming])
        assert.deepStrictEqual([seen.even.size, seen.odd.size], [count, count])
        assert.isTrue([...seen.even.values(), ...seen.odd.values()].every((times) => times === 1))
      }).pipe(Effect.scoped),
    timeout
  )
})
