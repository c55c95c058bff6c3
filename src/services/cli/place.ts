/** Places in the log of a durable topic, as arguments name them. */
import { Effect } from "effect"
import type { NsqdApi } from "../admin/index.ts"
import { type CliError, invalidArgument } from "./CliError.ts"

/** Returns the place of an argument: `beginning`, `end`, a sequence, or a time as in RFC 3339. Fails if it is not valid. */
export const placeOf = (text: string): Effect.Effect<NsqdApi.LogPlace, CliError> => {
  if (text === "beginning" || text === "end") return Effect.succeed(text)
  if (/^\d{1,15}$/.test(text)) return Effect.succeed(Number(text))
  const time = new Date(text)
  return /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(time.getTime())
    ? Effect.succeed(time)
    : invalidArgument(`"${text}" is not a place: beginning, end, a time such as 2026-11-29T08:00:00Z, or a sequence`)
}
