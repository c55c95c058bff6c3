/**
 * The metadata file `nsqd.dat` (docs/protocol/files.md#nsqddat): one line of JSON with the persistent topics and channels, and
 * whether they are paused.
 */
import { Result, Schema } from "effect"
import * as GoJson from "../text/GoJson.ts"

const Entry = { name: Schema.String, paused: Schema.Boolean }

/**
 * The content of nsqd.dat.
 *
 * @since 0.1.0
 * @category schemas
 */
export const NsqdMetadata = Schema.Struct({
  topics: Schema.NullOr(Schema.Array(Schema.Struct({
    ...Entry,
    channels: Schema.NullOr(Schema.Array(Schema.Struct(Entry)))
  }))),
  version: Schema.String
})
/** The content of nsqd.dat. */
export type NsqdMetadata = typeof NsqdMetadata.Type

const decode = Schema.decodeUnknownResult(NsqdMetadata)
const none = <A>(list: ReadonlyArray<A> | null): ReadonlyArray<A> | null =>
  list === null || list.length === 0 ? null : list

/** Returns an entry without other fields. */
const entry = ({ name, paused }: { readonly name: string; readonly paused: boolean }) => ({ name, paused })

/** Replaces missing and null fields by Go's zero values. Returns other values than objects unchanged; the Schema refuses them. */
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
 * Decodes nsqd.dat as Go does: keys in any case; missing or null fields are false, empty or 0. Fails if Go would fail. Names are
 * not checked: the broker skips invalid ones, including the empty name.
 *
 * @since 0.1.0
 * @category codecs
 */
export const decodeNsqdMetadata = (text: string): Result.Result<NsqdMetadata, Schema.SchemaError> =>
  Result.flatMap(GoJson.parse(text), (value) => decode(mapList(metadataFields(value), "topics", topicOf)))

/** Encodes nsqd.dat in steps of one topic; an empty list is `null`, as in NSQ. */
export function* encodeNsqdMetadataInSteps({ topics, version }: NsqdMetadata): Generator<void, string, void> {
  const all: Array<string> = []
  for (const { channels, name, paused } of topics ?? []) {
    all.push(JSON.stringify({ name, paused, channels: none(channels?.map(entry) ?? null) }))
    yield
  }
  const list = all.length === 0 ? "null" : `[${all.join(",")}]`
  return `{"topics":${list},"version":${JSON.stringify(version)}}`
}

/**
 * Encodes nsqd.dat.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeNsqdMetadata = (metadata: NsqdMetadata): string => {
  const steps = encodeNsqdMetadataInSteps(metadata)
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

/**
 * A topic to restore.
 *
 * @since 0.1.0
 * @category models
 */
export interface SavedTopic {
  paused: boolean
  /** Whether each channel is paused. */
  readonly channels: Map<string, boolean>
}

/**
 * Returns the topics by name. As in NSQ, entries with the same name are one topic with all channels, paused if one entry is.
 *
 * @since 0.1.0
 * @category operations
 */
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
