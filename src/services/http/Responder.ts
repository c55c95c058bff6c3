/**
 * Handles a request by a daemon's routes, sends the response and writes the access log line. A defect of a handler becomes
 * the response 500 `INTERNAL_ERROR`.
 */
import { Clock, Duration, Effect, identity } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as GoDuration from "../core/GoDuration.ts"
import { LogThreshold } from "../logging/LogThreshold.ts"
import { peerAddress } from "../net/Transport.ts"
import * as HttpResponse from "./HttpResponse.ts"
import * as RequestBody from "./RequestBody.ts"
import type * as RequestTarget from "./RequestTarget.ts"
import * as Router from "./Router.ts"
import * as TraceContext from "./TraceContext.ts"

/** Unread bodies are received and discarded up to this size, so that the connection can be reused. */
const maxDiscardedBytes = 256 * 1024

/**
 * Whether nsqadmin reads figures. It repeats these requests every few seconds, which would hide other lines of the access log, so a
 * successful one has the level debug.
 */
const isPoll = ({ headers, method }: IncomingMessage): boolean =>
  method === "GET" && headers["user-agent"]?.startsWith("nsqadmin/") === true

const remoteAddress = ({ socket }: IncomingMessage): string => peerAddress(socket.remoteAddress, socket.remotePort)

/** The path of requests without a route. */
const noPath = "none"

/**
 * Returns a function that handles one request by these routes and sends the response. `responded` gets the path of the route, `none`
 * without one, and the status.
 */
export const make = Effect.fnUntraced(function*(
  routes: ReadonlyArray<Router.Route>,
  responded: ((path: string, status: number) => void) | undefined = undefined
) {
  const router = Router.make(routes)
  const threshold = yield* LogThreshold

  const responseTo = (request: Omit<Router.HttpRequest, "parameter">) =>
    Effect.suspend(() => {
      const found = router(request.incoming.method ?? "", request.target)
      if (found._tag === "Response") {
        return Effect.succeed({ response: found.response, logged: found.logged, path: noPath })
      }
      const { parameter, route } = found
      return route.handle({ ...request, parameter }).pipe(
        Effect.catchTag("HttpFailure", ({ response }) => Effect.succeed(response)),
        // Routes that are polled permanently are neither logged nor traced.
        route.logged ? TraceContext.inSpan(request.incoming, route.path, ({ status }) => status) : identity,
        Effect.map((response) => ({ response, logged: route.logged, path: route.path }))
      )
    }).pipe(
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError(`${request.incoming.method} ${request.incoming.url} failed`, defect),
          { response: HttpResponse.internalError, logged: true, path: noPath }
        )
      )
    )

  const reply = (incoming: IncomingMessage, outgoing: ServerResponse, response: HttpResponse.HttpResponse) => {
    const unwanted = !incoming.complete &&
      (incoming.headers.expect !== undefined || RequestBody.announcesMore(incoming, maxDiscardedBytes))
    return unwanted
      ? RequestBody.respondUnread(incoming, outgoing, response)
      : Effect.sync(() => HttpResponse.send(outgoing, response))
  }

  return Effect.fnUntraced(
    function*(incoming: IncomingMessage, outgoing: ServerResponse, target: RequestTarget.RequestTarget) {
      const started = yield* Clock.monotonicTimeNanos
      const { logged, path, response } = yield* responseTo({ target, incoming, outgoing })
      responded?.(path, response.status)
      const level = response.status === 200 && isPoll(incoming) ? "debug" : "info"
      if (logged && threshold.allows(level)) {
        const elapsed = GoDuration.format(Duration.nanos((yield* Clock.monotonicTimeNanos) - started))
        const line = `${response.status} ${incoming.method} ${incoming.url} (${remoteAddress(incoming)}) ${elapsed}`
        yield* level === "debug" ? Effect.logDebug(line) : Effect.logInfo(line)
      }
      yield* reply(incoming, outgoing, response)
    }
  )
})
