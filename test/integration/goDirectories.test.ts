import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { ChannelName } from "../../src/protocol/client/Names.ts"
import { bundledNsqd } from "./bundled.ts"
import { body, connect, text, topic } from "./client.ts"
import * as Daemon from "./daemon.ts"

const nsqd = bundledNsqd()
const timeout = 240_000

/** A record as NSQ writes it: size, timestamp, attempts, id, body. */
const record = (text: string): Buffer => {
  const out = Buffer.alloc(30 + text.length)
  out.writeInt32BE(26 + text.length, 0)
  out.writeBigInt64BE(1_700_000_000_000_000_000n + BigInt(text.length), 4)
  out.writeUInt16BE(1, 12)
  out.write(Buffer.from(text.slice(-8)).toString("hex"), 14, "latin1")
  out.write(text, 30, "latin1")
  return out
}

const named = (from: number, to: number): Array<string> =>
  Array.from({ length: to - from }, (_, i) => `message ${String(from + i).padStart(4, "0")}`)
const records = (from: number, to: number): Buffer => Buffer.concat(named(from, to).map(record))
const recordBytes = record("message 0000").length

/** What NSQ leaves when it is killed: metadata from the last sync, and newer files. */
interface Layout {
  readonly layout: string
  /** Depth, read position, write position; `undefined` if the file does not exist. */
  readonly metadata: string | undefined
  readonly files: ReadonlyArray<Buffer>
  readonly expected: ReadonlyArray<string>
}

const layouts: ReadonlyArray<Layout> = [
  {
    layout: "a depth of 0 before a hundred messages",
    metadata: `0\n0,0\n0,${100 * recordBytes}\n`,
    files: [records(0, 100)],
    expected: named(0, 100)
  },
  {
    layout: "a negative depth",
    metadata: `-57\n0,${10 * recordBytes}\n0,${100 * recordBytes}\n`,
    files: [records(0, 100)],
    expected: named(10, 100)
  },
  {
    layout: "a depth that is too small",
    metadata: `3\n0,${10 * recordBytes}\n0,${100 * recordBytes}\n`,
    files: [records(0, 100)],
    expected: named(10, 100)
  },
  {
    layout: "a depth that is too large",
    metadata: `5000\n0,${10 * recordBytes}\n0,${100 * recordBytes}\n`,
    files: [records(0, 100)],
    expected: named(10, 100)
  },
  {
    layout: "a write position before the end of the file",
    metadata: `0\n0,${40 * recordBytes}\n0,${40 * recordBytes}\n`,
    files: [records(0, 100)],
    expected: named(40, 100)
  },
  {
    layout: "files that were begun after the last sync",
    metadata: `0\n0,${40 * recordBytes}\n0,${40 * recordBytes}\n`,
    files: [records(0, 100), records(100, 200), records(200, 230)],
    expected: named(40, 230)
  },
  {
    layout: "a write position before the end of a file that others follow",
    metadata: `0\n0,0\n2,${5 * recordBytes}\n`,
    files: [records(0, 50), records(50, 100), records(100, 130)],
    expected: named(0, 130)
  },
  {
    layout: "a torn record at the end of a file that others follow",
    metadata: `60\n0,${10 * recordBytes}\n1,${20 * recordBytes}\n`,
    files: [Buffer.concat([records(0, 50), record("torn").subarray(0, 20)]), records(50, 100)],
    expected: named(10, 100)
  },
  {
    layout: "a torn record at the end of each file",
    metadata: `0\n0,0\n0,0\n`,
    files: [
      Buffer.concat([records(0, 50), record("torn").subarray(0, 20)]),
      Buffer.concat([records(50, 80), record("torn").subarray(0, 2)]),
      Buffer.concat([records(80, 100), record("torn").subarray(0, 31)])
    ],
    expected: named(0, 100)
  },
  {
    layout: "a read position at the end of a file that others follow",
    metadata: `0\n0,${50 * recordBytes}\n1,0\n`,
    files: [records(0, 50), records(50, 100)],
    expected: named(50, 100)
  },
  {
    layout: "no metadata, since it was never synced",
    metadata: undefined,
    files: [records(0, 50), records(50, 60)],
    expected: named(0, 60)
  }
]

const write = (data: string, queue: string, { files, metadata }: Layout): void => {
  if (metadata !== undefined) writeFileSync(join(data, `${queue}.diskqueue.meta.dat`), metadata)
  for (const [number, bytes] of files.entries()) {
    writeFileSync(join(data, `${queue}.diskqueue.${String(number).padStart(6, "0")}.dat`), bytes)
  }
}

describe.each([
  { queue: "test", durability: "memory" },
  { queue: "test:c", durability: "memory" },
  { queue: "test", durability: "synced" },
  { queue: "test:c", durability: "synced" }
])(
  "a data directory of NSQ's nsqd after kill -9: $queue, $durability",
  ({ durability, queue }) => {
    it.live.each(layouts)(
      "every message in a data directory of NSQ's nsqd is delivered after kill -9: $layout",
      (layout) =>
        Effect.gen(function*() {
          const data = yield* Daemon.temporaryDirectory
          write(data, queue, layout)
          const topics = [{ name: "test", paused: false, channels: [{ name: "c", paused: false }] }]
          writeFileSync(join(data, "nsqd.dat"), JSON.stringify({ topics, version: "1.3.0" }))
          const daemon = yield* nsqd.start(data, ["--mem-queue-size=0", `--durability=${durability}`])
          const consumer = yield* connect(daemon)
          yield* consumer.ask({ _tag: "SUB", topic, channel: ChannelName.make("c") })
          yield* consumer.send({ _tag: "RDY", count: 2500 })
          const seen: Array<string> = []
          const takeUntil = Effect.fnUntraced(function*(count: number) {
            while (seen.length < count) {
              const message = yield* consumer.message
              yield* consumer.send({ _tag: "FIN", id: message.id })
              seen.push(text(message))
            }
          })
          yield* takeUntil(layout.expected.length)
          // The next message is the one that is published now.
          const publisher = yield* connect(daemon)
          assert.strictEqual(yield* publisher.ask({ _tag: "PUB", topic, body: body("later") }), "OK")
          yield* takeUntil(layout.expected.length + 1)
          assert.deepStrictEqual(seen, [...layout.expected, "later"])
          const [stats] = yield* Daemon.topics(daemon)
          assert.deepStrictEqual([stats?.depth, stats?.channels[0]?.depth], [0, 0])
        }).pipe(Effect.scoped),
      timeout
    )
  }
)
