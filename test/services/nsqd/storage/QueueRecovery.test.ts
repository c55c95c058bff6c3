import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { encodeSlot, slotSize } from "../../../../src/protocol/storage/QueueState.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { drain, layer, open, range, recordsOf, settle } from "./queues.ts"

const recordSize = 4 + 26 + 8
const bytesOf = (from: number, to: number): Buffer => Buffer.from(recordsOf(range(from, to)).bytes)
const file = (number: number): string => `/data/t.diskqueue.${String(number).padStart(6, "0")}.dat`
const metadata = "/data/t.diskqueue.meta.dat"

/** Opens a queue with these files and reads all of it. */
const takeOver = Effect.fnUntraced(function*(files: Record<string, Uint8Array | string>) {
  const disk = yield* FaultyDisk
  for (const [path, content] of Object.entries(files)) disk.put(path, content)
  const { close, queue } = yield* open()
  const { depth } = queue
  const numbers = yield* drain(queue)
  yield* queue.append([recordsOf([999])])
  numbers.push(...(yield* drain(queue)))
  yield* close
  return {
    depth,
    numbers,
    names: Array.from(disk.files().keys()).map((path) => path.slice("/data/t.diskqueue.".length))
  }
})

describe("opening a disk queue", () => {
  it.effect("a queue written by NSQ is read completely", () =>
    Effect.gen(function*() {
      const { depth, numbers } = yield* takeOver({
        [file(3)]: bytesOf(0, 10),
        [file(4)]: bytesOf(10, 15),
        [metadata]: `12\n3,${3 * recordSize}\n4,${5 * recordSize}\n`
      })
      assert.strictEqual(depth, 12)
      assert.deepStrictEqual(numbers, [...range(3, 15), 999])
    }).pipe(Effect.provide(layer)))

  it.effect("messages written after the metadata are found", () =>
    Effect.gen(function*() {
      const { depth, numbers } = yield* takeOver({
        [file(0)]: bytesOf(0, 10),
        [file(1)]: bytesOf(10, 14),
        [metadata]: `2\n0,0\n0,${2 * recordSize}\n`
      })
      assert.strictEqual(depth, 14)
      assert.deepStrictEqual(numbers, [...range(0, 14), 999])
    }).pipe(Effect.provide(layer)))

  it.effect("a queue whose metadata counts too many messages has a depth of 0 once all are read", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put(file(0), bytesOf(0, 10))
      disk.put(metadata, `5000\n0,0\n0,${10 * recordSize}\n`)
      const { queue } = yield* open()
      const run = (yield* queue.read(10 * recordSize))!
      assert.deepStrictEqual([run.count, queue.depth], [10, 0])
    }).pipe(Effect.provide(layer)))

  it.effect("a queue has a depth of 0 once the messages that were not settled before are read again", () =>
    Effect.gen(function*() {
      const { close, queue } = yield* open()
      yield* queue.append([recordsOf(range(0, 10))])
      const run = (yield* queue.read(1000))!
      settle(run, 0, 3)
      settle(run, 5, 7)
      yield* close
      const again = (yield* open()).queue
      assert.deepStrictEqual([again.depth, again.hasMore], [5, true])
      const first = (yield* again.read(1000))!
      assert.deepStrictEqual([first.count, again.depth, again.hasMore], [2, 3, true])
      const second = (yield* again.read(1000))!
      assert.deepStrictEqual([second.count, again.depth, again.hasMore], [3, 0, false])
      assert.isUndefined(yield* again.read(1000))
    }).pipe(Effect.provide(layer)))

  it.effect("a queue has a depth of 0 once the messages that were written after its metadata are read", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put(file(0), bytesOf(0, 10))
      disk.put(metadata, "0\n0,0\n0,0\n")
      const { close, queue, saveState } = yield* open()
      assert.strictEqual(queue.depth, 10)
      const run = (yield* queue.read(1000))!
      assert.deepStrictEqual([run.count, queue.depth, queue.hasMore], [10, 0, false])
      settle(run)
      yield* saveState
      assert.isFalse(disk.files().has(file(0)))
      yield* close
      assert.strictEqual((yield* open()).queue.depth, 0)
    }).pipe(Effect.provide(layer)))

  for (const [name, state] of [["nsqd", false], ["version 0.2.0", true]] as const) {
    it.effect(`a queue that ${name} has read to the end of its last file has a depth of 0`, () =>
      Effect.gen(function*() {
        const disk = yield* FaultyDisk
        disk.put(file(0), bytesOf(0, 10))
        const text = `0\n0,${10 * recordSize}\n1,0\n`
        disk.put(metadata, text)
        if (state) {
          const read = { file: 0, offset: 10 * recordSize }
          const slot = encodeSlot({
            sequence: 1,
            isSynced: true,
            isExtended: false,
            depth: 0,
            read,
            write: { file: 1, offset: 0 },
            unsettled: [],
            recent: undefined,
            metadata: text,
            previousMetadata: text
          })
          disk.put("/data/t.diskqueue.state.dat", Buffer.concat([slot, Buffer.alloc(slotSize)]))
        }
        const { queue, saveState } = yield* open()
        assert.deepStrictEqual([queue.depth, queue.hasMore], [0, false])
        yield* saveState
        assert.isFalse(disk.files().has(file(0)))
        yield* queue.append([recordsOf([10])])
        assert.deepStrictEqual(yield* drain(queue), [10])
      }).pipe(Effect.provide(layer)))
  }

  it.effect("a queue without metadata reads all its files again", () =>
    Effect.gen(function*() {
      const { depth, numbers } = yield* takeOver({ [file(5)]: bytesOf(0, 4), [file(7)]: bytesOf(4, 6) })
      assert.strictEqual(depth, 6)
      assert.deepStrictEqual(numbers, [...range(0, 6), 999])
    }).pipe(Effect.provide(layer)))

  it.effect("a queue with damaged metadata reads all its files again", () =>
    Effect.gen(function*() {
      const { numbers } = yield* takeOver({ [file(0)]: bytesOf(0, 4), [metadata]: "not\nmetadata\n" })
      assert.deepStrictEqual(numbers, [...range(0, 4), 999])
    }).pipe(Effect.provide(layer)))

  it.effect("an incomplete last record after a crash is cut off and the rest kept", () =>
    Effect.gen(function*() {
      const torn = Buffer.concat([bytesOf(0, 3), bytesOf(3, 4).subarray(0, 20)])
      const { names, numbers } = yield* takeOver({ [file(0)]: torn, [metadata]: "0\n0,0\n0,0\n" })
      assert.deepStrictEqual(numbers, [...range(0, 3), 999])
      assert.isFalse(names.some((name) => name.endsWith(".bad")))
    }).pipe(Effect.provide(layer)))

  for (const size of [-1, 0, 25, 5000, 0x7fffffff]) {
    it.effect(`a file with a record that claims ${size} bytes is renamed and the files after it are read`, () =>
      Effect.gen(function*() {
        const damaged = Buffer.concat([bytesOf(0, 2), Buffer.alloc(4), bytesOf(2, 5)])
        damaged.writeInt32BE(size, 2 * recordSize)
        const { names, numbers } = yield* takeOver({
          [file(0)]: damaged,
          [file(1)]: bytesOf(5, 8),
          [metadata]: `8\n0,0\n1,${3 * recordSize}\n`
        })
        assert.deepStrictEqual(numbers, [...range(0, 2), ...range(5, 8), 999])
        assert.include(names, "000000.dat.bad")
      }).pipe(Effect.provide(layer)))
  }

  it.effect("a queue with a missing file continues with the next one", () =>
    Effect.gen(function*() {
      const { numbers } = yield* takeOver({
        [file(0)]: bytesOf(0, 2),
        [file(2)]: bytesOf(4, 6),
        [metadata]: `6\n0,0\n2,${2 * recordSize}\n`
      })
      assert.deepStrictEqual(numbers, [...range(0, 2), ...range(4, 6), 999])
    }).pipe(Effect.provide(layer)))

  it.effect("a queue with a read position beyond the write position reads all its files again", () =>
    Effect.gen(function*() {
      const { depth, numbers } = yield* takeOver({ [file(0)]: bytesOf(0, 2), [metadata]: "3\n2,0\n0,0\n" })
      assert.strictEqual(depth, 2)
      assert.deepStrictEqual(numbers, [0, 1, 999])
    }).pipe(Effect.provide(layer)))

  it.effect("files that a crash left behind after they were read are removed", () =>
    Effect.gen(function*() {
      const { names, numbers } = yield* takeOver({
        [file(0)]: bytesOf(0, 2),
        [file(1)]: bytesOf(2, 4),
        [metadata]: `2\n1,0\n1,${2 * recordSize}\n`
      })
      assert.deepStrictEqual(numbers, [...range(2, 4), 999])
      assert.notInclude(names, "000000.dat")
    }).pipe(Effect.provide(layer)))

  it.effect("files of other queues and foreign files are not touched", () =>
    Effect.gen(function*() {
      const foreign = {
        "/data/t:c.diskqueue.000000.dat": bytesOf(0, 1),
        "/data/t.diskqueue.000000.dat.bad": "bad",
        "/data/notes.txt": "notes"
      }
      const { numbers } = yield* takeOver(foreign)
      assert.deepStrictEqual(numbers, [999])
      const { files } = yield* FaultyDisk
      for (const [path, content] of Object.entries(foreign)) {
        assert.strictEqual(files().get(path)?.toString("hex"), Buffer.from(content).toString("hex"))
      }
    }).pipe(Effect.provide(layer)))

  it.effect("a closed queue writes nothing and opens no data file until it is used", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put(file(0), bytesOf(0, 3))
      disk.put(file(1), bytesOf(3, 5))
      disk.put(metadata, `4\n0,${recordSize}\n1,${2 * recordSize}\n`)
      const before = disk.files()
      const opened: Array<string> = []
      disk.fail((operation, path) => {
        if (operation === "open") opened.push(path)
        return undefined
      })
      const unused = yield* open()
      assert.strictEqual(unused.queue.depth, 4)
      assert.isTrue(unused.queue.isAtRest)
      yield* unused.close
      assert.deepStrictEqual(opened, [metadata])
      assert.deepStrictEqual(disk.files(), before)
      const used = yield* open()
      assert.deepStrictEqual(yield* drain(used.queue), range(1, 5))
      yield* used.saveState
      assert.strictEqual(disk.files().get("/data/t.diskqueue.state.dat")?.length, 4096)
    }).pipe(Effect.provide(layer)))

  it.effect("a queue that never had a message writes NSQ's metadata when it closes, and no state file", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const { close } = yield* open()
      assert.strictEqual(disk.files().size, 0)
      yield* close
      assert.deepStrictEqual(Array.from(disk.files(), ([path, bytes]) => [path, bytes.toString()]), [
        [metadata, "0\n0,0\n0,0\n"]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("a queue writes what NSQ's nsqd reads: sizes, messages and three lines of metadata", () =>
    Effect.gen(function*() {
      const { close, queue } = yield* open()
      yield* queue.append([recordsOf([1, 2])])
      yield* close
      const files = (yield* FaultyDisk).files()
      assert.strictEqual(files.get(file(0))?.toString("hex"), bytesOf(1, 3).toString("hex"))
      assert.strictEqual(files.get(metadata)?.toString(), `2\n0,0\n0,${2 * recordSize}\n`)
    }).pipe(Effect.provide(layer)))
})
