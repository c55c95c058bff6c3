/** Disks whose reads or writes a test can hold. */
import { Effect, Latch } from "effect"
import { Disk, type DiskFile } from "../../../../src/services/nsqd/disk/Disk.ts"

/** The disk of the environment, whose reads wait while `reads` is closed. */
export const gatedReads = Effect.gen(function*() {
  const disk = yield* Disk
  const reads = yield* Latch.make(true)
  return {
    reads,
    disk: Disk.of({
      ...disk,
      open: (path) =>
        Effect.map(disk.open(path), (file) => ({
          ...file,
          read: (buffer, position) => Effect.andThen(reads.await, file.read(buffer, position))
        }))
    })
  }
})

/** The disk of the environment, whose writes to data files wait while `writes` is closed. */
export const gatedWrites = Effect.gen(function*() {
  const disk = yield* Disk
  const writes = yield* Latch.make(true)
  const gated = (file: DiskFile): DiskFile => ({
    ...file,
    write: (buffers, position) => Effect.andThen(writes.await, file.write(buffers, position))
  })
  return {
    writes,
    disk: Disk.of({
      ...disk,
      open: (path) => Effect.map(disk.open(path), gated),
      create: (path) => Effect.map(disk.create(path), gated),
      openExisting: (path) => Effect.map(disk.openExisting(path), gated)
    })
  }
})
