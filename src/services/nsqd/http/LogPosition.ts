/**
 * A place in a topic's log as requests name it: `beginning`, `end`, a sequence, or a time as in RFC 3339
 * (docs/protocol/http.md#rewind).
 */
import { Effect } from "effect"
import { fail, failure, HttpFailure } from "../../http/HttpResponse.ts"
import type { Topic } from "../broker/Topic.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { TopicLog } from "../log/TopicLog.ts"

const timePattern = /^(\d{4}-\d\d-\d\d)T(?!24)\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/

/** Returns a time in ms since the Unix epoch; NaN if the text is not a time. JavaScript takes 30 February for a day in March. */
const millisOf = (text: string): number => {
  const day = timePattern.exec(text)?.[1]
  const midnight = day === undefined ? NaN : Date.parse(day)
  return Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day ? NaN : Date.parse(text)
}

/** Fails because of a topic without a log. */
export const notDurable = ({ name }: Topic): HttpFailure =>
  new HttpFailure({ response: failure(400, `NOT_DURABLE: topic ${name} is not durable (--topic-durability)`) })

/** Fails because a topic without a log has no finished messages. */
export const keepsNoFinished = ({ name }: Topic): HttpFailure =>
  new HttpFailure({
    response: failure(
      400,
      `NOT_DURABLE: topic ${name} is not durable and keeps no finished messages (--topic-durability)`
    )
  })

/** The log of a durable topic. */
export const logOf = (topic: Topic): Effect.Effect<TopicLog, HttpFailure> =>
  topic.log === undefined ? Effect.fail(notDurable(topic)) : Effect.succeed(topic.log)

const rule = "must be beginning, end, a sequence, or a time such as 2026-11-29T08:00:00Z"

/** Returns the sequence of a place; fails with `code` and the rule if the text does not name one. */
export const sequenceOf = (
  log: TopicLog,
  text: string,
  code: string
): Effect.Effect<number, HttpFailure | StorageError> => {
  if (text === "beginning") return Effect.succeed(log.history.start)
  if (text === "end") return Effect.succeed(log.handed)
  if (/^\d{1,15}$/.test(text)) return Effect.succeed(Number(text))
  const millis = millisOf(text)
  return Number.isNaN(millis) ? Effect.fail(fail(400, `${code}: ${rule}`)) : log.history.sequenceAt(millis)
}
