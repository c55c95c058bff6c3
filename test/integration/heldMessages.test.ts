import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChannelName } from "../../src/protocol/client/Names.ts"
import { bundledNsqd } from "./bundled.ts"
import { body, type Client, connect, text, topic } from "./client.ts"
import * as Daemon from "./daemon.ts"

const nsqd = bundledNsqd()
const timeout = 240_000
const flags = ["--mem-queue-size=0", "--sync-every=1", "--msg-timeout=60s"]
const channel = ChannelName.make("c")
const count = 20_000
const batch = 1000

/** Messages that were finished within this time before a kill may be redelivered; far longer than the daemon needs to record them. */
const window = "2 seconds"

/** A FIN that fails: its error confirms that the daemon has executed those before it. */
const carriedOut = Effect.fnUntraced(function*(consumer: Client) {
  const answer = yield* consumer.ask({ _tag: "FIN", id: "no-such-message." })
  assert.match(answer, /^E_FIN_FAILED FIN no-such-message\. failed/)
})

const publishAll = Effect.fnUntraced(function*(daemon: Daemon.Daemon) {
  const publisher = yield* connect(daemon)
  for (let from = 0; from < count; from += batch) {
    const rest = Array.from({ length: batch - 1 }, (_, i) => body(from + 1 + i))
    assert.strictEqual(yield* publisher.ask({ _tag: "MPUB", topic, bodies: [body(from), ...rest] }), "OK")
  }
})

/** Ways to keep a message unfinished. */
const manners = [
  { manner: "held by TOUCH", keep: (id: string) => ({ _tag: "TOUCH", id }) as const },
  { manner: "requeued for half an hour", keep: (id: string) => ({ _tag: "REQ", id, delayMillis: 1_800_000 }) as const }
]

describe("a daemon that is killed while a few messages are not finished and all later ones are", () => {
  it.live.each(manners)(
    "a killed daemon redelivers only the few messages that were not finished, if they were $manner",
    ({ keep }) =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const kept = new Set(["0", "7", "5000", "12345"])
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* nsqd.start(data, flags)
          const consumer = yield* connect(daemon)
          yield* consumer.ask({ _tag: "SUB", topic, channel })
          yield* publishAll(daemon)
          yield* consumer.send({ _tag: "RDY", count: 2500 })
          for (let i = 0; i < count; i++) {
            const message = yield* consumer.message
            yield* consumer.send(kept.has(text(message)) ? keep(message.id) : { _tag: "FIN", id: message.id })
          }
          yield* carriedOut(consumer)
          yield* Effect.sleep(window)
          yield* daemon.signal("SIGKILL")
          yield* daemon.exited
        }))
        const daemon = yield* nsqd.start(data, flags)
        const consumer = yield* connect(daemon)
        yield* consumer.ask({ _tag: "SUB", topic, channel })
        const publisher = yield* connect(daemon)
        assert.strictEqual(yield* publisher.ask({ _tag: "PUB", topic, body: body("last") }), "OK")
        yield* consumer.send({ _tag: "RDY", count: 2500 })
        const again = []
        const wanted = new Set([...kept, "last"])
        while (wanted.size > 0) {
          const message = yield* consumer.message
          again.push(text(message))
          wanted.delete(text(message))
          yield* consumer.send({ _tag: "FIN", id: message.id })
        }
        assert.isAtMost(again.length, kept.size + 1 + count / 100)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a message that is not finished does not keep the files of finished messages",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const daemon = yield* nsqd.start(data, [...flags, "--max-bytes-per-file=100000"])
        const consumer = yield* connect(daemon)
        yield* consumer.ask({ _tag: "SUB", topic, channel })
        yield* publishAll(daemon)
        yield* consumer.send({ _tag: "RDY", count: 2500 })
        for (let i = 0; i < count; i++) {
          const message = yield* consumer.message
          yield* consumer.send({ _tag: text(message) === "0" ? "TOUCH" : "FIN", id: message.id })
        }
        yield* carriedOut(consumer)
        // 20,000 messages of about 35 bytes took seven files in each queue.
        yield* Daemon.removed(data, /^test(:c)?\.diskqueue\.00000[1-4]\.dat$/)
      }).pipe(Effect.scoped),
    timeout
  )
})
