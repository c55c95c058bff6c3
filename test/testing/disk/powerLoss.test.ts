import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { Disk, type DiskFile } from "../../../src/services/nsqd/disk/Disk.ts"
import { FaultyDisk } from "../../../src/testing/index.ts"

const path = "/data/file"
const pageBytes = 4096
const seeds = Array.from({ length: 200 }, (_, seed) => seed)

const write = (file: DiskFile, content: Uint8Array | string, position: number) =>
  file.write([Buffer.from(content)], position)

const contentOf = (disk: FaultyDisk["Service"], name = path): string | undefined => disk.files().get(name)?.toString()

/** A new file whose directory is synced. */
const created = Effect.gen(function*() {
  const fs = yield* Disk
  const file = yield* fs.create(path)
  yield* fs.syncDirectory("/data")
  return file
})

/** The results of the same events for all seeds, each on a disk of its own. */
const outcomes = <A, E>(
  before: Effect.Effect<void, E, Disk | FaultyDisk>,
  after: (disk: FaultyDisk["Service"]) => A
): Effect.Effect<ReadonlySet<A>, E> =>
  Effect.map(
    Effect.forEach(seeds, (seed) =>
      Effect.gen(function*() {
        yield* before
        const disk = yield* FaultyDisk
        disk.losePower(seed)
        return after(disk)
      }).pipe(Effect.provide(FaultyDisk.layer, { local: true }))),
    (results) => new Set(results)
  )

describe("the content of files after a power loss", () => {
  it.effect("without a seed a file has its synced content and size", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* created
      yield* write(file, "synced", 0)
      yield* file.sync
      yield* write(file, "S", 0)
      yield* write(file, "+more", 6)
      disk.losePower()
      assert.strictEqual(contentOf(disk), "synced")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("without a seed a truncated file has its old content", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put(path, "abcdef")
      const file = yield* Disk.use(({ openExisting }) => openExisting(path))
      yield* file.truncate(1)
      yield* file.truncate(4)
      assert.strictEqual(contentOf(disk), "a\0\0\0")
      disk.losePower()
      assert.strictEqual(contentOf(disk), "abcdef")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("un-synced pages survive in every combination, so that a later write may survive without an earlier one", () =>
    Effect.gen(function*() {
      const found = yield* outcomes(
        Effect.gen(function*() {
          ;(yield* FaultyDisk).put(path, Buffer.alloc(2 * pageBytes, "-"))
          const file = yield* Disk.use(({ openExisting }) => openExisting(path))
          yield* write(file, "1", 0)
          yield* write(file, "2", pageBytes)
        }),
        (disk) => `${contentOf(disk)?.[0]}${contentOf(disk)?.[pageBytes]}`
      )
      assert.deepStrictEqual([...found].sort(), ["--", "-2", "1-", "12"])
    }))

  it.effect("a page may have the content of any write since the last sync", () =>
    Effect.gen(function*() {
      const found = yield* outcomes(
        Effect.gen(function*() {
          ;(yield* FaultyDisk).put(path, "0")
          const file = yield* Disk.use(({ openExisting }) => openExisting(path))
          for (const text of ["1", "2", "3"]) yield* write(file, text, 0)
        }),
        (disk) => contentOf(disk) ?? ""
      )
      assert.deepStrictEqual([...found].sort(), ["0", "1", "2", "3"])
    }))

  it.effect("a torn page has old and new sectors of 512 bytes", () =>
    Effect.gen(function*() {
      const found = yield* outcomes(
        Effect.gen(function*() {
          ;(yield* FaultyDisk).put(path, Buffer.alloc(pageBytes, "-"))
          const file = yield* Disk.use(({ openExisting }) => openExisting(path))
          yield* write(file, Buffer.alloc(pageBytes, "+"), 0)
        }),
        (disk) => contentOf(disk) ?? ""
      )
      for (const content of found) {
        for (let at = 0; at < pageBytes; at += 512) assert.match(content.slice(at, at + 512), /^(-+|\++)$/)
      }
      assert.isAbove([...found].filter((content) => content.includes("-") && content.includes("+")).length, 3)
    }))

  it.effect("an appended file has its old size, or its new one with bytes or zeros", () =>
    Effect.gen(function*() {
      const found = yield* outcomes(
        Effect.gen(function*() {
          const file = yield* created
          yield* write(file, "abc", 0)
        }),
        (disk) => contentOf(disk) ?? "missing"
      )
      assert.deepStrictEqual([...found].sort(), ["", "\0\0\0", "abc"])
    }))

  it.effect("what survived a power loss survives the next one", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      for (const seed of seeds) {
        const file = yield* created
        yield* write(file, Buffer.alloc(3 * pageBytes, String(seed)), seed)
        disk.losePower(seed)
        const survived = disk.files()
        disk.losePower()
        assert.deepStrictEqual(disk.files(), survived)
      }
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a held sync keeps what was written before it began, and not what was written meanwhile", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* created
      yield* write(file, "abc", 0)
      const release = yield* disk.holdSyncs
      const syncing = yield* Effect.forkChild(file.sync, { startImmediately: true })
      yield* write(file, "ABCD", 0)
      assert.isUndefined(syncing.pollUnsafe())
      yield* release
      yield* Fiber.join(syncing)
      assert.strictEqual(contentOf(disk), "ABCD")
      disk.losePower()
      assert.strictEqual(contentOf(disk), "abc")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a power loss during a held sync loses the bytes of that sync, which fails", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* created
      yield* write(file, "abc", 0)
      yield* Effect.asVoid(disk.holdSyncs)
      const syncing = yield* Effect.forkChild(Effect.flip(file.sync), { startImmediately: true })
      disk.losePower()
      assert.strictEqual((yield* Fiber.join(syncing)).code, "ECRASHED")
      assert.strictEqual(contentOf(disk), "")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("after a failed sync reads return the bytes and the next sync succeeds, but the bytes do not survive", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* created
      yield* write(file, "abc", 0)
      disk.fail((operation) => operation === "fsync" ? "EIO" : undefined)
      yield* Effect.flip(file.sync)
      disk.fail(undefined)
      assert.strictEqual(contentOf(disk), "abc")
      yield* file.sync
      assert.strictEqual(contentOf(disk), "abc")
      disk.losePower()
      assert.strictEqual(contentOf(disk), "\0\0\0")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a page that is written again after a failed sync is part of the next one", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* created
      yield* write(file, "abc", 0)
      yield* write(file, "def", pageBytes)
      disk.fail((operation) => operation === "fsync" ? "EIO" : undefined)
      yield* Effect.flip(file.sync)
      disk.fail(undefined)
      yield* write(file, "C", 2)
      yield* file.sync
      disk.losePower()
      assert.strictEqual(contentOf(disk)?.replaceAll("\0", ""), "abC")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a completed durable write survives, and does not sync other pages of the file", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put(path, Buffer.alloc(3 * pageBytes, "-"))
      const fs = yield* Disk
      const buffered = yield* fs.openExisting(path)
      const durable = yield* fs.openDurable(path)
      yield* write(buffered, "1", 0)
      yield* write(durable, "2", pageBytes)
      yield* write(buffered, "3", 2 * pageBytes)
      disk.losePower()
      const content = contentOf(disk) ?? ""
      assert.deepStrictEqual([content[0], content[pageBytes], content[2 * pageBytes]], ["-", "2", "-"])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a durable write makes the size durable, waits while syncs are held, and is lost if its sync fails", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      yield* created
      const file = yield* Disk.use(({ openDurable }) => openDurable(path))
      yield* write(file, "abc", 0)
      const release = yield* disk.holdSyncs
      const writing = yield* Effect.forkChild(write(file, "def", 3), { startImmediately: true })
      assert.isUndefined(writing.pollUnsafe())
      yield* release
      yield* Fiber.join(writing)
      disk.fail((operation) => operation === "fsync" ? "EIO" : undefined)
      assert.strictEqual((yield* Effect.flip(write(file, "XYZ", 0))).message, `write ${path}: input/output error`)
      assert.strictEqual(contentOf(disk), "XYZdef")
      disk.losePower()
      assert.strictEqual(contentOf(disk), "abcdef")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  /** Positions and sizes of the property, in units of 128 bytes: a page has 32. */
  const unit = 128
  const pageUnits = pageBytes / unit
  const units = 6 * pageUnits
  const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
  const Step = Schema.TaggedUnion({
    Write: { from: upTo(4 * pageUnits), count: upTo(2 * pageUnits), isDurable: Schema.Boolean },
    Truncate: { size: upTo(units) },
    Sync: {},
    FailedSync: {},
    LosePower: { seed: Schema.Int }
  })
  type Step = typeof Step.Type

  it.effect.prop(
    "a synced byte never changes by a power loss, and an un-synced one has a value that it had since the last sync",
    [Schema.Array(Step)],
    ([steps]) =>
      Effect.gen(function*() {
        const disk = yield* FaultyDisk
        const fs = yield* Disk
        disk.put(path, "")
        let [file, durable] = [yield* fs.openExisting(path), yield* fs.openDurable(path)]
        /** The possible values of each unit after a power loss; zero behind the end of the file. */
        let allowed: ReadonlyArray<Set<number>> = []
        let sizes = new Set<number>()
        /** Pages of failed syncs, whose values stay possible until they are written again. */
        let lost = new Set<number>()
        let fill = 0
        const current = () => {
          const content = disk.files().get(path)
          return Array.from({ length: units }, (_, at) => content?.[at * unit] ?? 0)
        }
        const size = () => (disk.files().get(path)?.length ?? 0) / unit
        const settle = (from: number, to: number) => {
          const values = current()
          allowed = allowed.map((before, at) =>
            at < from || at >= to || lost.has(Math.floor(at / pageUnits)) ? before : new Set([values[at] ?? 0])
          )
          sizes = new Set([size()])
        }
        const change = (from: number, to: number) => {
          current().slice(from, to).forEach((value, at) => allowed[from + at]?.add(value))
          sizes.add(size())
          for (let page = Math.floor(from / pageUnits); page * pageUnits < to; page++) lost.delete(page)
        }
        allowed = current().map((value) => new Set([value]))
        sizes.add(0)
        const all: ReadonlyArray<Step> = [...steps, { _tag: "LosePower", seed: steps.length }]
        for (const step of all) {
          const before = size()
          switch (step._tag) {
            case "Write": {
              if (step.count === 0) break
              const to = step.from + step.count
              yield* write(step.isDurable ? durable : file, Buffer.alloc(step.count * unit, ++fill), step.from * unit)
              change(step.from, to)
              if (step.isDurable) {
                settle(Math.floor(step.from / pageUnits) * pageUnits, Math.ceil(to / pageUnits) * pageUnits)
              }
              break
            }
            case "Truncate":
              yield* file.truncate(step.size * unit)
              if (step.size < before) change(step.size, before)
              sizes.add(step.size)
              break
            case "Sync":
              yield* file.sync
              settle(0, units)
              break
            case "FailedSync":
              disk.fail((operation) => operation === "fsync" ? "EIO" : undefined)
              yield* Effect.flip(file.sync)
              disk.fail(undefined)
              allowed.forEach((values, at) => values.size > 1 && lost.add(Math.floor(at / pageUnits)))
              break
            case "LosePower": {
              disk.losePower(step.seed)
              assert.isTrue(sizes.has(size()), `size ${size()}, possible: ${[...sizes].join()}`)
              current().forEach((value, at) => {
                // Bytes behind the end of the file are not there.
                if (at < size()) {
                  assert.isTrue(allowed[at]?.has(value), `${value} at ${at}: ${[...allowed[at] ?? []].join()}`)
                }
              })
              lost = new Set()
              settle(0, units)
              file = yield* fs.openExisting(path)
              durable = yield* fs.openDurable(path)
            }
          }
        }
      }).pipe(Effect.provide(FaultyDisk.layer, { local: true })),
    { timeout: 240_000, arbitrary: { runs: 500, size: 30 } }
  )
})

describe("the entries of directories after a power loss", () => {
  it.effect("a synced file is lost with its entry unless its directory is synced", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      for (const name of ["/data/a", "/data/b"]) {
        const file = yield* fs.create(name)
        yield* write(file, "abc", 0)
        yield* file.sync
        if (name === "/data/a") yield* fs.syncDirectory("/data")
      }
      disk.losePower()
      assert.deepStrictEqual([...disk.files()].map(([name, content]) => [name, content.toString()]), [[
        "/data/a",
        "abc"
      ]])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("creations and removals of different names survive in every combination", () =>
    Effect.gen(function*() {
      const found = yield* outcomes(
        Effect.gen(function*() {
          const fs = yield* Disk
          ;(yield* FaultyDisk).put("/data/removed", "")
          yield* fs.create("/data/created")
          yield* fs.remove("/data/removed")
        }),
        (disk) => [...disk.files().keys()].sort().join()
      )
      assert.deepStrictEqual([...found].sort(), ["", "/data/created", "/data/created,/data/removed", "/data/removed"])
    }))

  it.effect("a rename is atomic: a replaced file is the old one or the new one, and the new one has one name", () =>
    Effect.gen(function*() {
      const found = yield* outcomes(
        Effect.gen(function*() {
          ;(yield* FaultyDisk).put(path, "old")
          yield* Disk.use(({ writeText }) => writeText(path, "new"))
        }),
        (disk) => [...disk.files()].map(([name, content]) => `${name}=${content.toString()}`).sort().join()
      )
      assert.deepStrictEqual([...found].sort(), [
        "/data/file.1.tmp=new,/data/file=old",
        "/data/file=new",
        "/data/file=old"
      ])
    }))

  it.effect("a replaced text is durable once its directory is synced", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      yield* fs.writeText(path, "old")
      disk.losePower()
      assert.isUndefined(yield* fs.readText(path))
      yield* fs.writeText(path, "old")
      yield* fs.syncDirectory("/data")
      yield* fs.writeText(path, "new")
      disk.losePower()
      assert.strictEqual(yield* fs.readText(path), "old")
      yield* fs.writeText(path, "new")
      yield* fs.syncDirectory("/data")
      disk.losePower()
      assert.deepStrictEqual([...disk.files().keys()], [path])
      assert.strictEqual(yield* fs.readText(path), "new")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a file that is renamed to another directory is in one of both", () =>
    Effect.gen(function*() {
      const found = yield* outcomes(
        Effect.gen(function*() {
          const fs = yield* Disk
          ;(yield* FaultyDisk).put(path, "abc")
          yield* fs.makeDirectory("/data/other")
          yield* fs.rename(path, "/data/other/file")
        }),
        (disk) => [...disk.files().keys()].join()
      )
      assert.deepStrictEqual([...found].sort(), ["/data/file", "/data/other/file"])
    }))

  it.effect("a directory whose entry is lost takes its files with it, although it was synced itself", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      yield* fs.makeDirectory("/data/log")
      const file = yield* fs.create("/data/log/file")
      yield* write(file, "abc", 0)
      yield* file.sync
      yield* fs.syncDirectory("/data/log")
      disk.losePower()
      assert.strictEqual(disk.files().size, 0)
      assert.strictEqual((yield* Effect.flip(fs.create("/data/log/file"))).code, "ENOENT")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a removed directory or file is there again until the directory above is synced", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      yield* fs.makeDirectory("/data/log")
      disk.put("/data/log/file", "abc")
      yield* fs.syncDirectory("/data")
      yield* fs.remove("/data/log/file")
      yield* fs.removeDirectory("/data/log")
      disk.losePower()
      assert.strictEqual(contentOf(disk, "/data/log/file"), "abc")
      yield* fs.remove("/data/log/file")
      yield* fs.removeDirectory("/data/log")
      yield* fs.syncDirectory("/data")
      disk.losePower()
      assert.deepStrictEqual(yield* fs.list("/data"), [])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("entries stay un-durable when the sync of their directory fails", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      yield* fs.create(path)
      disk.fail((operation) => operation === "fsync" ? "EIO" : undefined)
      yield* Effect.flip(fs.syncDirectory("/data"))
      disk.losePower()
      assert.strictEqual(disk.files().size, 0)
    }).pipe(Effect.provide(FaultyDisk.layer)))
})
