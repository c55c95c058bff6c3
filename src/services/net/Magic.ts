/**
 * The magic with which every client of NSQ's TCP protocols begins (docs/protocol/client.md, docs/protocol/nsqlookupd.md).
 */
import { Effect, Option } from "effect"
import type { NetError } from "./NetError.ts"
import type { Connection } from "./Transport.ts"

/** Limit for the magic, NSQ's internal client timeout. */
const deadline = "60 seconds"

const readBytes = Effect.fnUntraced(
  function*(connection: Connection, magic: string, refuse: () => void): Effect.fn.Return<Buffer | undefined, NetError> {
    let bytes: Buffer = Buffer.alloc(0)
    while (bytes.length < magic.length) {
      const chunk = yield* connection.read
      if (chunk === undefined) return undefined
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    }
    const received = bytes.toString("latin1", 0, magic.length)
    if (received === magic) {
      yield* Effect.logInfo(`CLIENT(${connection.remoteAddress}): desired protocol magic '${magic}'`)
      return bytes.subarray(magic.length)
    }
    yield* Effect.logError(
      `client(${connection.remoteAddress}) bad protocol magic '${received.replace(/[^\x20-\x7e]/g, "?")}'`
    )
    refuse()
    return undefined
  }
)

/**
 * Returns the bytes after the magic. Returns `undefined` if the client sends another magic, which `refuse` replies to, closes the
 * connection before the magic is complete, or takes longer than 60 s. Fails with the reason `ConnectionLoss`.
 */
export const readMagic = (
  connection: Connection,
  magic: string,
  refuse: () => void
): Effect.Effect<Buffer | undefined, NetError> =>
  Effect.map(Effect.timeoutOption(readBytes(connection, magic, refuse), deadline), Option.getOrUndefined)
