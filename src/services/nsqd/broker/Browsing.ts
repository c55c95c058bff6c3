/**
 * Shows messages of a durable topic without consuming them (those of others: `MemoryBrowsing`). The log is read beside its channels; what a channel has done with a
 * message is looked up when the message is wanted.
 *
 * Hot path: for one message among millions, the records are only searched for the bytes that it has to contain.
 */
import { Effect } from "effect"
import { type Headers, headerValue, readHeaders } from "../../../protocol/client/Headers.ts"
import {
  frameBodyStart,
  frameHeaders,
  frameIdOffset,
  frameTimestampOffset,
  messageFrameHeaderSize
} from "../../../protocol/client/MessageBatch.ts"
import type { MessageState } from "../../../protocol/http/MessagesResponse.ts"
import { intactStarts, type LogHeader } from "../../../protocol/storage/LogRecord.ts"
import type { Time } from "../../core/Time.ts"
import { finish, type Turns } from "../../core/Turns.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { ChannelLog } from "../log/ChannelLog.ts"
import type { EachRecord } from "../log/LogScan.ts"
import { SequenceSet } from "../log/SequenceSet.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { BodyFilter } from "./BodyFilter.ts"
import type { Candidates } from "./BodySearch.ts"
import type { Channel } from "./Channel.ts"
import { heldSequences, keyAt } from "./HeldMessages.ts"
import type { Consumer } from "./Subscription.ts"

/** Messages without a look at their bodies in one step. */
const passedPerStep = 256
/** Bytes of bodies in a page: the last message may exceed them. */
export const pageBytes = 1024 * 1024

/** Which messages are wanted, and how much of them. */
export interface PageQuery {
  /** Default: all. */
  readonly states: ReadonlySet<MessageState> | undefined
  /** Most messages of a page. */
  readonly limit: number
  readonly filter: BodyFilter
  /** Only dead letters of this topic, and of this channel unless it is `undefined`. Default: all messages. */
  readonly origin?: LetterOrigin
  /** Most bytes of a body. */
  readonly bodyBytes: number
  /** The time for one page, in ms. */
  readonly budget: number
}

/** Which messages of a durable topic are wanted. */
export interface BrowseQuery extends PageQuery {
  /** The channel whose states count; `undefined` for those of the topic: retained is what all channels have finished. */
  readonly channel: Channel | undefined
  /** The sequence to start from. */
  readonly from: number
  /** The sequence behind the last one. Default: the end of the log. */
  readonly to?: number
}

/** Where dead letters come from. */
export interface LetterOrigin {
  readonly topic: string
  readonly channel: string | undefined
}

/** Whether headers are those of a dead letter from there. */
export const isFrom = ({ channel, topic }: LetterOrigin, headers: Buffer): boolean =>
  headerValue(headers, "nsq-origin-topic") === topic &&
  (channel === undefined || headerValue(headers, "nsq-origin-channel") === channel)

/** A message of a page. */
export interface Browsed {
  /** `undefined` unless its topic is durable. */
  readonly sequence: number | undefined
  readonly state: MessageState
  readonly id: string
  /** In ns since the Unix epoch. */
  readonly timestamp: bigint
  /** Deliveries so far. */
  readonly attempts: number
  /** When it becomes due, in ms since the Unix epoch; `undefined` unless it is deferred. */
  readonly due: number | undefined
  /** The consumer that has it in flight; none after it has disconnected, or if the message is on its way to the dead-letter topic. */
  readonly held: { readonly consumer: Consumer } | undefined
  readonly headers: Headers | undefined
  readonly bodySize: number
  /** The beginning of the body. */
  readonly body: Buffer
}

/** A message of a durable topic. */
export interface BrowsedInLog extends Browsed {
  readonly sequence: number
}

/** A part of a topic's messages. Those of durable topics have sequences as places. */
export interface BrowsedPage<Place = number, Message = BrowsedInLog> {
  readonly messages: ReadonlyArray<Message>
  /** The place that the next page starts from; `undefined` after the last message. */
  readonly next: Place | undefined
  /** Number of messages that were read. */
  readonly scanned: number
}

/** Reads the next page of the messages in a log. Completes with fewer messages than wanted when its time is over. */
export const browse = Effect.fnUntraced(function*(
  log: TopicLog,
  query: BrowseQuery,
  time: Time,
  turns: Turns
): Effect.fn.Return<BrowsedPage, StorageError> {
  const { bodyBytes, filter, limit, origin, states: wanted } = query
  const channel = query.channel === undefined ? undefined : log.channelNamed(query.channel.name)
  const held = query.channel === undefined ? undefined : yield* finish(turns, heldSequences(query.channel))
  const burying = query.channel?.burying
  const deferred = channel === undefined ? undefined : yield* finish(turns, deferredOf(channel))
  const isOpen = wanted !== undefined && !wanted.has("retained")
  const from = Math.max(query.from, isOpen ? channel?.floor ?? log.history.doneBelow : 0)
  const { to = Infinity } = query
  const until = time.monotonicMillis() + query.budget
  const messages: Array<BrowsedInLog> = []
  let next: number | undefined
  let scanned = 0
  let bytes = 0

  const stateOf = (sequence: number): MessageState => {
    if (channel === undefined) return log.history.isDoneWith(sequence) ? "retained" : "waiting"
    if (channel.hasFinished(sequence)) return "retained"
    if (held?.has(sequence) === true || burying?.has(sequence) === true) return "in_flight"
    return deferred?.has(sequence) === true ? "deferred" : "waiting"
  }

  /** Ends the page before `sequence`, in a record that ends at `end`. */
  const stopAt = (sequence: number, end: number): false => {
    next = sequence
    scanned -= end - sequence
    return false
  }

  /** Whether there is time for the messages from `sequence` on. */
  const goesOn = (sequence: number, end: number): boolean => time.monotonicMillis() < until || stopAt(sequence, end)

  /** Adds the wanted messages of a record in steps; false if the page ends. */
  function* add(header: LogHeader, frames: Buffer, starts: Int32Array, candidates: Candidates, end: number) {
    let candidate = -1
    for (let sequence = Math.max(from, header.first); sequence < end; sequence++) {
      if (sequence % passedPerStep === 0) yield
      const start = starts[sequence - header.first]!
      if (candidate < start) candidate = candidates(start)
      if (candidate < 0) break
      if (candidate >= starts[sequence - header.first + 1]!) continue
      const state = stateOf(sequence)
      if (wanted !== undefined && !wanted.has(state)) continue
      if (origin !== undefined && !(header.hasHeaders && isFrom(origin, frameHeaders(frames, start)))) continue
      const body = frames.subarray(
        header.hasHeaders ? frameBodyStart(frames, start) : start + messageFrameHeaderSize,
        starts[sequence - header.first + 1]
      )
      const isWanted = filter.matches(body)
      yield
      if (!isWanted) {
        if (!goesOn(sequence + 1, end)) return false
        continue
      }
      if (messages.length >= limit || bytes >= pageBytes) return stopAt(sequence, end)
      const shown = Buffer.from(body.subarray(0, bodyBytes))
      bytes += shown.length
      const delivery = state === "in_flight" ? query.channel?.outstanding.deliveryOf(keyAt(frames, start)) : undefined
      messages.push({
        sequence,
        state,
        id: frames.toString("latin1", start + frameIdOffset, start + messageFrameHeaderSize),
        timestamp: frames.readBigInt64BE(start + frameTimestampOffset),
        attempts: delivery?.attempts ?? channel?.deliveriesOf(sequence) ?? 0,
        due: undefined,
        held: delivery?.holder,
        headers: header.hasHeaders ? readHeaders(frameHeaders(frames, start)) : undefined,
        bodySize: body.length,
        body: shown
      })
    }
    return goesOn(end, end)
  }

  const each: EachRecord = (header, frames) => {
    if (header.first >= to) return false
    const end = Math.min(header.first + header.count, to)
    scanned += end - Math.max(from, header.first)
    const candidates = filter.search(frames)
    const starts = candidates(0) < 0 ? undefined : intactStarts(header, frames)
    return starts === undefined ? goesOn(end, end) : add(header, frames, starts, candidates, end)
  }

  yield* log.history.scan(from, each, { turns })
  const page = channel === undefined ? messages : yield* finish(turns, withDue(channel, messages))
  return {
    messages: page,
    next: next !== undefined && next < Math.min(to, log.history.end) ? next : undefined,
    scanned
  }
})

/** The deferred messages of a channel, as a set: there may be millions. */
function* deferredOf(channel: ChannelLog): Generator<void, SequenceSet> {
  const set = new SequenceSet(0)
  yield* channel.eachDeferred((sequence) => void set.add(sequence, sequence + 1))
  return set
}

/** Adds the due times and the deliveries of those messages that are deferred. */
function* withDue(
  channel: ChannelLog,
  messages: ReadonlyArray<BrowsedInLog>
): Generator<void, ReadonlyArray<BrowsedInLog>> {
  const deferred = new Map<number, { readonly due: number; readonly attempts: number }>()
  for (const { sequence, state } of messages) if (state === "deferred") deferred.set(sequence, { due: 0, attempts: 0 })
  if (deferred.size === 0) return messages
  yield* channel.eachDeferred((sequence, due, attempts) => {
    if (deferred.has(sequence)) deferred.set(sequence, { due, attempts: attempts - 1 })
  })
  return messages.map((message) => ({ ...message, ...deferred.get(message.sequence) }))
}
