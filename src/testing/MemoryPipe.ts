/**
 * One direction of a connection of the network in memory.
 */
import { Cause, Effect, Queue } from "effect"
import { connectionLoss, type NetError } from "../services/net/NetError.ts"
import type { Connection } from "../services/net/Transport.ts"

/** Unread bytes that the network accepts, like the buffers of sockets. */
const networkBytes = 256 * 1024

/** The path between two machines. */
export interface Link {
  /** Whether bytes arrive. */
  open: boolean
  /** Whether bytes were lost. */
  damaged: boolean
}

const carries = (link: Link): boolean => {
  link.damaged ||= !link.open
  return link.open
}

/** Splits bytes on their way into the chunks that one read returns each. */
export type Cut = (bytes: Uint8Array) => ReadonlyArray<Uint8Array>

/** Opens one direction over a link. */
export const make = Effect.fnUntraced(function*(link: Link, cut: Cut) {
  const chunks = yield* Queue.unbounded<Buffer | undefined, NetError>()
  const drains = new Set<() => void>()
  let unread = 0
  let written = 0
  let ended = false
  const pendingBytes = () => Math.max(0, unread - networkBytes)
  const wakeWriters = () => {
    for (const done of drains) done()
    drains.clear()
  }
  return {
    write: (bytes: Uint8Array) => {
      if (ended || !carries(link)) return true
      unread += bytes.length
      written += bytes.length
      for (const chunk of cut(bytes)) Queue.offerUnsafe(chunks, Buffer.from(chunk))
      return true
    },
    end: () => {
      if (!ended && carries(link)) Queue.offerUnsafe(chunks, undefined)
      ended = true
    },
    lose: () => {
      ended = true
      Queue.failCauseUnsafe(chunks, Cause.fail(connectionLoss("connection reset by peer")))
      wakeWriters()
    },
    read: Effect.map(Queue.take(chunks), (chunk) => {
      unread -= chunk?.length ?? 0
      if (pendingBytes() === 0) wakeWriters()
      // The end stays readable.
      if (chunk === undefined) Queue.offerUnsafe(chunks, undefined)
      return chunk
    }),
    pendingBytes,
    takenBytes: () => written - pendingBytes(),
    drained: Effect.callback<void>((resume) => {
      if (pendingBytes() === 0 || ended) return resume(Effect.void)
      const done = (): void => resume(Effect.void)
      drains.add(done)
      return Effect.sync(() => void drains.delete(done))
    })
  }
})

/** One direction of a connection. */
export type Pipe = Effect.Success<ReturnType<typeof make>>

/** The end of a connection that reads from `input` and writes to `output`. */
export const endpoint = (remoteAddress: string, input: Pipe, output: Pipe): Connection => ({
  remoteAddress,
  read: input.read,
  write: output.write,
  cork: () => {},
  uncork: () => {},
  pendingBytes: output.pendingBytes,
  takenBytes: output.takenBytes,
  drained: output.drained
})
