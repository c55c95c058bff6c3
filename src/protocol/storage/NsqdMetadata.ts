/**
 * The metadata file `nsqd.dat` (section 14 of nsqd's notes): one line of JSON naming the topics and channels that outlive the
 * daemon, and whether they are paused.
 */
import { Result, Schema } from "effect"
import * as GoJson from "../text/GoJson.ts"

const Entry = { name: Schema.String, paused: Schema.Boolean }

export const NsqdMetadata = Schema.Struct({
  topics: Schema.NullOr(Schema.Array(Schema.Struct({
    ...Entry,
    channels: Schema.NullOr(Schema.Array(Schema.Struct(Entry)))
  }))),
  version: Schema.String
})
export type NsqdMetadata = typeof NsqdMetadata.Type

const decode = Schema.decodeUnknownResult(NsqdMetadata)
const none = <A>(list: ReadonlyArray<A> | null): ReadonlyArray<A> | null =>
  list === null || list.length === 0 ? null : list

/** An entry and nothing else. */
const entry = ({ name, paused }: { readonly name: string; readonly paused: boolean }) => ({ name, paused })

/** A value with Go's zero values in place of missing and null fields. Anything but an object is left for the Schema to refuse. */
const withZeroValues = (zero: Record<string, unknown>) => {
  const fieldsOf = GoJson.fieldFinder(Object.keys(zero))
  return (value: unknown): unknown => {
    const fields = fieldsOf(value)
    return fields === undefined ? value : { ...zero, ...fields }
  }
}
const channelOf = withZeroValues({ name: "", paused: false })
const topicFields = withZeroValues({ name: "", paused: false, channels: null })
const metadataFields = withZeroValues({ topics: null, version: "" })

const mapList = (value: unknown, key: string, element: (value: unknown) => unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  const list: unknown = Reflect.get(value, key)
  return Array.isArray(list) ? { ...value, [key]: list.map(element) } : value
}
const topicOf = (value: unknown): unknown => mapList(topicFields(value), "channels", channelOf)

/**
 * The metadata in a file's text, read as Go reads it: keys in any case; what is missing or null is false, empty or 0. Fails
 * for what Go refuses. Names are not checked: the broker skips invalid ones, including the empty name.
 */
export const decodeNsqdMetadata = (text: string): Result.Result<NsqdMetadata, Schema.SchemaError> =>
  Result.flatMap(GoJson.parse(text), (value) => decode(mapList(metadataFields(value), "topics", topicOf)))

/** The file's text, made in steps of one topic; NSQ writes `null` for an empty list. */
export function* encodeNsqdMetadataInSteps({ topics, version }: NsqdMetadata): Generator<void, string, void> {
  const all: Array<string> = []
  for (const { channels, name, paused } of topics ?? []) {
    all.push(JSON.stringify({ name, paused, channels: none(channels?.map(entry) ?? null) }))
    yield
  }
  const list = all.length === 0 ? "null" : `[${all.join(",")}]`
  return `{"topics":${list},"version":${JSON.stringify(version)}}`
}

/** The file's text. */
export const encodeNsqdMetadata = (metadata: NsqdMetadata): string => {
  const steps = encodeNsqdMetadataInSteps(metadata)
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

/** A topic as it is to be restored. */
export interface SavedTopic {
  paused: boolean
  /** Whether each channel is paused. */
  readonly channels: Map<string, boolean>
}

/** The topics by name. Entries of the same name are one topic with the channels of all, paused if one of them is, as in NSQ. */
export const topicsByName = (metadata: NsqdMetadata | undefined): Map<string, SavedTopic> => {
  const topics = new Map<string, SavedTopic>()
  for (const { channels, name, paused } of metadata?.topics ?? []) {
    const topic = topics.get(name) ?? { paused: false, channels: new Map<string, boolean>() }
    topics.set(name, topic)
    topic.paused ||= paused
    for (const channel of channels ?? []) {
      topic.channels.set(channel.name, channel.paused || topic.channels.get(channel.name) === true)
    }
  }
  return topics
}
