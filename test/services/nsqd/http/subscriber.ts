/** A consumer of `GET /sub`: the head of the response and its events. */
import { Effect, Queue, type Scope } from "effect"
import * as Http from "node:http"

export interface Event {
  /** `comment` for comments. */
  readonly event: string
  readonly id: string
  /** The decoded data; the text of a comment. */
  readonly data: Readonly<Record<string, unknown>>
}

export interface Subscriber {
  readonly response: Http.IncomingMessage
  /** The next event. */
  readonly next: Effect.Effect<Event>
  /** Subscribes to the events. They are not read before. */
  readonly read: Effect.Effect<void>
  /** Completes when the response has ended or the connection is closed. */
  readonly closed: Effect.Effect<void>
}

const parse = (text: string): Event => {
  if (text.startsWith(":")) return { event: "comment", id: "", data: { text: text.slice(2) } }
  const fields = new Map(
    text.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)])
  )
  return {
    event: fields.get("event") ?? "",
    id: fields.get("id") ?? "",
    data: Object.fromEntries(Object.entries(Object(JSON.parse(fields.get("data") ?? "{}"))))
  }
}

/** Opens the stream; the connection closes with the Scope. */
export const open = (
  port: number,
  path: string,
  headers: Http.OutgoingHttpHeaders = {}
): Effect.Effect<Subscriber, never, Scope.Scope> =>
  Effect.gen(function*() {
    const events = yield* Queue.unbounded<Event>()
    const response = yield* Effect.acquireRelease(
      Effect.callback<Http.IncomingMessage>((resume) => {
        Http.get({ host: "127.0.0.1", port, path, headers, agent: false }, (got) => resume(Effect.succeed(got)))
      }),
      (got) => Effect.sync(() => void got.destroy())
    )
    response.on("error", () => {})
    let rest = ""
    return {
      response,
      next: Queue.take(events),
      read: Effect.sync(() => {
        response.setEncoding("utf8").on("data", (chunk: string) => {
          const parts = (rest + chunk).split("\n\n")
          rest = parts.pop() ?? ""
          for (const part of parts) Queue.offerUnsafe(events, parse(part))
        })
      }),
      closed: Effect.callback<void>((resume) => {
        if (response.closed) return resume(Effect.void)
        response.once("close", () => resume(Effect.void))
      })
    }
  })

/** Opens and reads the stream; with the id of the subscription. */
export const subscribe = Effect.fnUntraced(function*(
  port: number,
  query = "",
  headers: Http.OutgoingHttpHeaders = {}
) {
  const subscriber = yield* open(port, `/sub?topic=t&channel=c${query}`, headers)
  yield* subscriber.read
  const { data } = yield* subscriber.next
  return { ...subscriber, settings: data, id: String(data["subscription"]) }
})
