/**
 * The response of `GET /messages/stream` (docs/protocol/http.md#stream-of-messages): the messages of a range of a topic's log, one
 * after another, as lines of JSON or as server-sent events. The next ones are read when the client has read the ones before.
 */
import { Effect } from "effect"
import type { ServerResponse } from "node:http"
import type { BrowsedMessage } from "../../../protocol/http/MessagesResponse.ts"
import type { Turns } from "../../core/Turns.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import { closed, drained } from "../../http/StreamedResponse.ts"
import type { StorageError } from "../disk/StorageError.ts"

/** A part of the range. */
export interface StreamPage {
  readonly messages: ReadonlyArray<BrowsedMessage>
  /** The sequence that the next part starts from; `undefined` after the last one. */
  readonly next: number | undefined
}

/** A form of the response. */
interface Form {
  readonly headers: ReadonlyArray<string>
  readonly message: (message: BrowsedMessage) => string
  /** Follows the last message. */
  readonly end: string
}

const lines: Form = {
  headers: ["Content-Type", "application/x-ndjson; charset=utf-8"],
  message: (message) => `${HttpResponse.encodeJson(message)}\n`,
  end: ""
}

const events: Form = {
  headers: ["Content-Type", "text/event-stream", "X-Accel-Buffering", "no"],
  message: (message) => `id: ${message.sequence}\nevent: message\ndata: ${HttpResponse.encodeJson(message)}\n\n`,
  end: "event: end\ndata: {}\n\n"
}

/** Returns the form that the `Accept` header of the request wants: lines unless it names server-sent events. */
export const formFor = (accept: string | undefined): Form =>
  accept?.includes("text/event-stream") === true ? events : lines

/** The number of characters that are collected before they are written. */
const chunkLength = 64 * 1024
/** The longest time without progress of a client. */
const patience = "30 seconds"

/** One response. */
export interface MessagesStream {
  readonly form: Form
  /** The first part, which was read before the response began: its errors are ordinary ones. */
  readonly first: StreamPage
  readonly read: (from: number) => Effect.Effect<StreamPage, StorageError>
  readonly turns: Turns
}

const run = Effect.fnUntraced(function*({ first, form, read, turns }: MessagesStream, outgoing: ServerResponse) {
  const flushed = (chunk: string) =>
    Effect.suspend(() => {
      outgoing.write(chunk)
      return Effect.map(Effect.timeoutOption(drained(outgoing), patience), ({ _tag }) => _tag === "Some")
    })
  let page = first
  while (true) {
    let chunk = ""
    for (const message of page.messages) {
      chunk += form.message(message)
      if (chunk.length < chunkLength) continue
      if (!(yield* flushed(chunk))) return void outgoing.destroy()
      chunk = ""
      if (turns.isOver()) yield* turns.next
    }
    if (page.next === undefined) return void outgoing.end(chunk + form.end)
    if (chunk !== "" && !(yield* flushed(chunk))) return void outgoing.destroy()
    if (turns.isOver()) yield* turns.next
    page = yield* read(page.next)
  }
})

/** Sends the response until the end of the range, or until the client disconnects or does not read for 30 seconds. */
export const send = (stream: MessagesStream, outgoing: ServerResponse): Effect.Effect<void> =>
  Effect.raceFirst(run(stream, outgoing), closed(outgoing)).pipe(
    // The status has been sent already, so only a premature end can report the failure to the client.
    Effect.catch(({ message }) => Effect.logError(`HTTP: failed to read messages - ${message}`)),
    Effect.catchDefect((defect) => Effect.logError("HTTP: sending messages failed", defect)),
    Effect.ensuring(Effect.sync(() => {
      if (!outgoing.writableEnded) outgoing.destroy()
    }))
  )
