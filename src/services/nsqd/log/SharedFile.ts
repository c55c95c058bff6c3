/**
 * A file that several operations use at once, and that closes when the last of them ends: the operating system may reuse its
 * descriptor at once.
 */
import { Effect } from "effect"
import type { DiskFile } from "../disk/Disk.ts"

/** The same file, whose `close` lets the operations in progress end first. None must begin after it. */
export const closingLast = (file: DiskFile): DiskFile => {
  let users = 0
  let isLeft = false
  const during = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      users++
      return Effect.ensuring(work, Effect.suspend(() => --users === 0 && isLeft ? file.close : Effect.void))
    })
  return {
    read: (buffer, position) => during(file.read(buffer, position)),
    write: (buffers, position) => during(file.write(buffers, position)),
    sync: during(file.sync),
    truncate: (size) => during(file.truncate(size)),
    size: during(file.size),
    close: Effect.suspend(() => {
      if (isLeft) return Effect.void
      isLeft = true
      return users === 0 ? file.close : Effect.void
    })
  }
}
