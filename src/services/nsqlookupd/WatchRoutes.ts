/**
 * `/watch?topic=...`: the response of `/lookup` as server-sent events, at once and after every change, so that consumers need
 * not poll. NSQ has no such endpoint.
 */
import { Effect, FiberSet, type Scope } from "effect"
import type { ServerResponse } from "node:http"
import { isTopicName } from "../../protocol/client/Names.ts"
import * as Arguments from "../http/Arguments.ts"
import * as HttpResponse from "../http/HttpResponse.ts"
import { type HttpRequest, type Route, route } from "../http/Router.ts"
import { closed, drained } from "../http/StreamedResponse.ts"
import { Watches } from "./Watches.ts"

/** Shorter than the usual idle timeouts of proxies. */
const keepAliveInterval = "15 seconds"

/** Limit for a watcher to read an event; its connection is closed after it. */
const patience = "10 seconds"

/** Limit for the watchers of all topics. */
const maxWatchers = 10_000

const headers = ["Content-Type", "text/event-stream", "X-Accel-Buffering", "no"]
const keepAlive = ": keep-alive\n\n"

const event = (json: string): string => `event: producers\ndata: ${json}\n\n`

/** The endpoint on the watches of the environment. Closing the Scope ends all watches. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Watches | Scope.Scope> = Effect.gen(function*() {
  const watches = yield* Watches
  const streams = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(streams)()

  const stream = Effect.fnUntraced(function*(topic: string, outgoing: ServerResponse) {
    const { next } = yield* watches.watch(topic)
    while (true) {
      const text = yield* Effect.timeoutOption(next, keepAliveInterval)
      outgoing.write(text._tag === "Some" ? event(text.value) : keepAlive)
      const taken = yield* Effect.timeoutOption(drained(outgoing), patience)
      if (taken._tag === "None") {
        return yield* Effect.logWarning(
          `closing a watcher of topic(${topic}): it has not read its events for ${patience}`
        )
      }
    }
  })

  const watch = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const topic = yield* Arguments.anyTopicName(target)
    if (!isTopicName(topic)) return yield* HttpResponse.fail(400, "INVALID_ARG_TOPIC")
    if ((yield* FiberSet.size(streams)) >= maxWatchers) return yield* HttpResponse.fail(503, "TOO_MANY_WATCHERS")
    return HttpResponse.streaming(headers, (outgoing) => {
      fork(
        Effect.raceFirst(Effect.scoped(stream(topic, outgoing)), closed(outgoing)).pipe(
          Effect.ensuring(Effect.sync(() => void outgoing.destroy()))
        )
      )
    })
  })

  return [route("GET", "/watch", watch)]
})
