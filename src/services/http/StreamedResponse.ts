/**
 * Responses that are sent piece by piece, because together they may be too much for memory. A client that does not take them is
 * closed.
 */
import { Effect, FiberSet, type Scope } from "effect"
import type { ServerResponse } from "node:http"
import * as HttpResponse from "./HttpResponse.ts"

/** Characters that are gathered before they are written. */
const chunkLength = 64 * 1024

/** How long a client may take nothing. */
const patience = "30 seconds"

/** Completes when the client is gone, or closes its side: it wants no more events then. */
export const closed = (outgoing: ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (outgoing.destroyed) return resume(Effect.void)
    const done = (): void => resume(Effect.void)
    const { socket } = outgoing
    outgoing.once("close", done)
    socket?.once("end", done)
    return Effect.sync(() => {
      outgoing.off("close", done)
      socket?.off("end", done)
    })
  })

/** Completes when the client has taken what was written. */
export const drained = (outgoing: ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (!outgoing.writableNeedDrain) return resume(Effect.void)
    const done = (): void => resume(Effect.void)
    outgoing.once("drain", done)
    return Effect.sync(() => void outgoing.off("drain", done))
  })

/** Completes when the response was sent, or its client is gone. */
const gone = (outgoing: ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (outgoing.destroyed) return resume(Effect.void)
    const done = (): void => resume(Effect.void)
    outgoing.once("close", done)
    return Effect.sync(() => void outgoing.off("close", done))
  })

const write = Effect.fnUntraced(function*(outgoing: ServerResponse, pieces: Iterator<string>) {
  while (true) {
    let chunk = ""
    let next = pieces.next()
    while (next.done !== true && (chunk += next.value).length < chunkLength) next = pieces.next()
    if (chunk !== "") outgoing.write(chunk)
    if (next.done === true) return void outgoing.end()
    const taken = yield* Effect.timeoutOption(drained(outgoing), patience)
    if (taken._tag === "None") return void outgoing.destroy()
    // Others have their turn between two chunks, also when the client takes them at once.
    yield* Effect.yieldNow
  }
})

/** Makes responses of JSON in pieces; those under way end with the Scope. */
export const make: Effect.Effect<
  (pieces: Iterator<string>) => Effect.Effect<HttpResponse.HttpResponse>,
  never,
  Scope.Scope
> = Effect.gen(function*() {
  const fork = yield* FiberSet.makeRuntime<never>()
  return (pieces) =>
    Effect.succeed(
      HttpResponse.streaming(
        ["Content-Type", "application/json; charset=utf-8"],
        (outgoing) =>
          void fork(Effect.onInterrupt(Effect.raceFirst(write(outgoing, pieces), gone(outgoing)), () =>
            Effect.sync(() =>
              void outgoing.destroy()
            )))
      )
    )
})
