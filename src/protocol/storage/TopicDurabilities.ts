/**
 * The durabilities of topics that were set at run time (docs/protocol/files.md#durabilities): a JSON object of names by topic.
 */
import { Result, Schema } from "effect"

/** The name of the file in the data directory. */
export const durabilitiesFileName = "nsqd.durability.dat"

const TopicDurabilities = Schema.fromJsonString(Schema.Record(
  Schema.String,
  Schema.Literals(["memory", "written", "synced"])
))
type Named = typeof TopicDurabilities.Type

const decode = Schema.decodeUnknownResult(TopicDurabilities)

/** Decodes the file; fails if it is damaged or has other durabilities. */
export const decodeTopicDurabilities = (
  text: string
): Result.Result<ReadonlyMap<string, Named[string]>, Schema.SchemaError> =>
  Result.map(decode(text), (named) => new Map(Object.entries(named)))

/** Encodes the file, by topic. */
export const encodeTopicDurabilities = (durabilities: ReadonlyMap<string, Named[string]>): string =>
  JSON.stringify(Object.fromEntries(Array.from(durabilities).sort(([a], [b]) => a < b ? -1 : 1)))
