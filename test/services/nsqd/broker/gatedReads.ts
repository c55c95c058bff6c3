/** A disk whose reads a test can hold. */
import { Effect, Latch } from "effect"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"

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
