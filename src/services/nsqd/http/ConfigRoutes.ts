/**
 * `/config/:opt` (docs/protocol/http.md#config): reads any option and changes the two that can be changed.
 */
import { Effect } from "effect"
import * as HttpResponse from "../../http/HttpResponse.ts"
import * as RequestBody from "../../http/RequestBody.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import type { ConfigValue } from "../../options/OptionKind.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import { RuntimeOptions } from "../options/RuntimeOptions.ts"
import type { RuntimeOptionsError } from "../options/RuntimeOptionsError.ts"

/** The message is NSQ's code. */
const refuse = ({ message }: RuntimeOptionsError) => HttpResponse.fail(400, message)

const respond = (value: ConfigValue): HttpResponse.HttpResponse =>
  value._tag === "Text" ? HttpResponse.text(value.text) : HttpResponse.json(value.json)

/** The endpoints, for the options of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, RuntimeOptions> = Effect.gen(function*() {
  const runtime = yield* RuntimeOptions
  const { maxMsgSize } = yield* NsqdOptions

  const get = ({ parameter }: HttpRequest) => runtime.get(parameter).pipe(Effect.map(respond), Effect.mapError(refuse))

  const put = Effect.fnUntraced(function*({ incoming, outgoing, parameter }: HttpRequest) {
    const body = yield* RequestBody.read(incoming, outgoing, maxMsgSize)
    if (body === undefined || body.length === 0) return yield* HttpResponse.fail(413, "INVALID_VALUE")
    return yield* runtime.put(parameter, body.toString()).pipe(
      Effect.map(respond),
      Effect.mapError(refuse)
    )
  })

  return [route("GET", "/config/:name", get), route("PUT", "/config/:name", put)]
})
