/** The filter of messages in the query of a request (docs/protocol/http.md#messages): `contains`, `json` and `regex`. */
import { Effect, Result } from "effect"
import { fail, type HttpFailure } from "../../http/HttpResponse.ts"
import type { Query } from "../../http/RequestTarget.ts"
import type { BodyFilter } from "../broker/BodyFilter.ts"

/** Most daemons never show a message. */
const bodyFilter = Effect.promise(() => import("../broker/BodyFilter.ts"))

/** Regular expressions are rare: their library is loaded for the first one. */
const compiler = Effect.promise(() => import("re2js")).pipe(
  Effect.map(({ RE2JS }) => (regex: string) =>
    Result.try(() => {
      const pattern = RE2JS.compile(regex)
      return (text: string) => pattern.matcher(text).find()
    })
  )
)

/** What a parameter must be. */
const rules = {
  contains: "must be a string",
  json: "must be a path and a value, such as user.id=42",
  regex: "must be a regular expression in the syntax of RE2"
} as const

/** Returns the filter; fails with `INVALID_ARG_<NAME>` and the rule for a parameter that is not valid. */
export const ofQuery = Effect.fnUntraced(function*(
  query: Query
): Effect.fn.Return<BodyFilter, HttpFailure> {
  const regex = query.get("regex")
  const compile = regex === undefined ? () => Result.fail(undefined) : yield* compiler
  const { make } = yield* bodyFilter
  const filter = make({ contains: query.get("contains"), json: query.get("json"), regex }, compile)
  if (Result.isSuccess(filter)) return filter.success
  return yield* fail(400, `INVALID_ARG_${filter.failure.toUpperCase()}: ${rules[filter.failure]}`)
})
