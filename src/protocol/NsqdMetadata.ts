/**
 * The metadata file `nsqd.dat` (section 14 of nsqd's notes): one line of JSON naming the topics and channels that outlive the
 * daemon, and whether they are paused.
 */
import { Schema } from "effect"

const Entry = { name: Schema.String, paused: Schema.Boolean }

export const NsqdMetadata = Schema.Struct({
  topics: Schema.NullOr(Schema.Array(Schema.Struct({
    ...Entry,
    channels: Schema.NullOr(Schema.Array(Schema.Struct(Entry)))
  }))),
  version: Schema.String
})
export type NsqdMetadata = typeof NsqdMetadata.Type

const FromText = Schema.fromJsonString(NsqdMetadata)
const encode = Schema.encodeSync(FromText)
const none = <A>(list: ReadonlyArray<A> | null): ReadonlyArray<A> | null =>
  list === null || list.length === 0 ? null : list

/** The metadata in a file's text. Names are not checked: whoever restores them skips the invalid ones. */
export const decodeNsqdMetadata = Schema.decodeUnknownResult(FromText)

/** The file's text; NSQ writes `null` for an empty list. */
export const encodeNsqdMetadata = ({ topics, version }: NsqdMetadata): string =>
  encode({
    topics: none(topics?.map(({ channels, name, paused }) => ({ name, paused, channels: none(channels) })) ?? null),
    version
  })
