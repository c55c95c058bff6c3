/**
 * Responses that are produced and sent piece by piece, because a whole one may exceed memory or take too long to produce at
 * once: other connections have their turn between two pieces. Short responses are sent as a whole with their length, long ones
 * in chunks, or to an HTTP/1.0 client until the end of the connection. A client that does not read its response is closed.
 */
import { Effect, FiberSet, type Scope } from "effect"
import type { ServerResponse } from "node:http"
import type { Writable } from "node:stream"
import { finish, Turns } from "../core/Turns.ts"
import * as HttpResponse from "./HttpResponse.ts"

/** The number of characters that are collected before they are written. */
const chunkLength = 64 * 1024

/** The longest time without progress of a client. */
const patience = "30 seconds"

/** Completes when the connection closes, or when the client closes its side, after which it needs no more events. */
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

/** Completes when the client has read the output. */
export const drained = (outgoing: Writable): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (!outgoing.writableNeedDrain) return resume(Effect.void)
    const done = (): void => resume(Effect.void)
    outgoing.once("drain", done)
    return Effect.sync(() => void outgoing.off("drain", done))
  })

/** Completes when the response is sent, or its connection is closed. */
const gone = (outgoing: ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (outgoing.destroyed) return resume(Effect.void)
    const done = (): void => resume(Effect.void)
    outgoing.once("close", done)
    return Effect.sync(() => void outgoing.off("close", done))
  })

interface Chunk {
  readonly text: string
  readonly isLast: boolean
}

/** Collects pieces until there are enough for one write, in steps. */
function* gather(pieces: Iterator<string>): Generator<void, Chunk, void> {
  let text = ""
  while (text.length < chunkLength) {
    const next = pieces.next()
    if (next.done === true) return { text, isLast: true }
    text += next.value
    yield
  }
  return { text, isLast: false }
}

const write = Effect.fnUntraced(function*(
  turns: Turns,
  outgoing: ServerResponse,
  first: Chunk,
  pieces: Iterator<string>
) {
  let chunk = first
  while (true) {
    if (chunk.text !== "") outgoing.write(chunk.text)
    if (chunk.isLast) return void outgoing.end()
    const taken = yield* Effect.timeoutOption(drained(outgoing), patience)
    if (taken._tag === "None") return void outgoing.destroy()
    // Other work has its turn between two chunks, also if the client reads at once.
    if (turns.isOver()) yield* turns.next
    chunk = yield* finish(turns, gather(pieces))
  }
})

/** Creates a response from pieces of text. Default of `headers`: those of JSON. An empty piece is a step without output. */
export type StreamedResponse = (
  pieces: Iterator<string>,
  headers?: ReadonlyArray<string>
) => Effect.Effect<HttpResponse.HttpResponse>

/** Returns a factory of such responses; unfinished ones end with the Scope. */
export const make: Effect.Effect<StreamedResponse, never, Scope.Scope> = Effect.gen(function*() {
  const fork = yield* FiberSet.makeRuntime<never>()
  const turns = yield* Turns

  const send = (outgoing: ServerResponse, first: Chunk, pieces: Iterator<string>): Effect.Effect<void> =>
    Effect.raceFirst(write(turns, outgoing, first, pieces), gone(outgoing)).pipe(
      // The status has been sent already, so only a premature end can report the failure to the client.
      Effect.catchDefect((defect) =>
        Effect.andThen(Effect.logError("sending a response failed", defect), Effect.interrupt)
      ),
      Effect.onInterrupt(() => Effect.sync(() => void outgoing.destroy()))
    )

  return (pieces, headers = HttpResponse.jsonHeaders) =>
    Effect.map(finish(turns, gather(pieces)), (first) =>
      first.isLast
        ? HttpResponse.make(200, headers, first.text)
        : HttpResponse.streamed(headers, (outgoing) => void fork(send(outgoing, first, pieces))))
})
