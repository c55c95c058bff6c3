/**
 * `/policies` (docs/protocol/http.md#policies): the policies of this nsqd, those in force for a topic or a channel, and changes.
 */
import { Effect } from "effect"
import { isChannelName, isTopicName } from "../../../protocol/client/Names.ts"
import type { PolicyInForce, PolicyList } from "../../../protocol/http/PoliciesResponse.ts"
import * as Arguments from "../../http/Arguments.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import * as RequestBody from "../../http/RequestBody.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { Policies } from "../policies/Policies.ts"
import type { PoliciesError } from "../policies/PoliciesError.ts"

/** A policy has few short fields. */
const maxBodySize = 65_536

const respondTo = ({ message, reason }: PoliciesError): HttpResponse.HttpFailure => {
  switch (reason._tag) {
    case "InvalidPolicy":
      return HttpResponse.fail(400, `INVALID_POLICY: ${message}`)
    case "MissingPolicy":
      return HttpResponse.fail(404, "POLICY_NOT_FOUND")
    case "PolicyOfConfig":
      return HttpResponse.fail(409, `POLICY_OF_CONFIG: ${message}`)
    case "PolicyLimit":
      return HttpResponse.fail(403, `TOO_MANY_POLICIES: ${message}`)
  }
}

const refused = <A>(
  change: Effect.Effect<A, PoliciesError | StorageError>
): Effect.Effect<A, HttpResponse.HttpFailure> =>
  Effect.mapError(
    change,
    (error) =>
      error._tag === "PoliciesError"
        ? respondTo(error)
        : new HttpResponse.HttpFailure({ response: HttpResponse.internalError })
  )

const parseJson = (text: string): Effect.Effect<unknown, HttpResponse.HttpFailure> =>
  Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => HttpResponse.fail(400, "INVALID_POLICY: policy: must be a JSON object")
  })

/** The endpoints, for the policies of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Policies> = Effect.map(Policies, (policies) => {
  const get = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const query = yield* Arguments.query(target)
    const topic = query.get("topic")
    const channel = query.get("channel")
    if (topic === undefined && channel === undefined) {
      return HttpResponse.json({ policies: policies.list() } satisfies PolicyList)
    }
    if (topic === undefined) return yield* HttpResponse.fail(400, "MISSING_ARG_TOPIC")
    if (!isTopicName(topic)) return yield* HttpResponse.fail(400, "INVALID_ARG_TOPIC")
    if (channel !== undefined && !isChannelName(channel)) return yield* HttpResponse.fail(400, "INVALID_ARG_CHANNEL")
    return HttpResponse.json(
      {
        topic,
        ...(channel === undefined ? {} : { channel }),
        fields: policies.inForce(topic, channel)
      } satisfies PolicyInForce
    )
  })

  const put = Effect.fnUntraced(function*({ incoming, outgoing }: HttpRequest) {
    const body = yield* RequestBody.read(incoming, outgoing, maxBodySize)
    if (body === undefined) return yield* HttpResponse.fail(413, "BODY_TOO_BIG")
    const policy = yield* refused(policies.put(yield* parseJson(body.toString())))
    return HttpResponse.json({ ...policy, source: "api" })
  })

  const remove = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const match = (yield* Arguments.query(target)).get("match")
    if (match === undefined) return yield* HttpResponse.fail(400, "MISSING_ARG_MATCH")
    yield* refused(policies.remove(match))
    return HttpResponse.empty
  })

  return [
    route("GET", "/policies", get),
    route("PUT", "/policies", put),
    route("DELETE", "/policies", remove)
  ]
})
