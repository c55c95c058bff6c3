/**
 * Publishes dead letters again (docs/policies.md#redrive): reads the log of their topic beside its channels, publishes each wanted
 * message, and then finishes it in a channel: after the sync of a topic that does not sync each publish, which many messages share. A
 * redrive that ends in between leaves messages in both topics at worst.
 */
import { Clock, Duration, Effect, Exit } from "effect"
import { encodeHeaders, type Headers, noHeaders, readHeaders } from "../../../protocol/client/Headers.ts"
import type { MessageKey } from "../../../protocol/client/Message.ts"
import {
  frameBodyStart,
  frameHeaders,
  frameIdOffset,
  messageFrameHeaderSize,
  type PublishedBodies
} from "../../../protocol/client/MessageBatch.ts"
import { isTopicName, type TopicName } from "../../../protocol/client/Names.ts"
import { intactStarts, type LogHeader } from "../../../protocol/storage/LogRecord.ts"
import * as Completion from "../../core/Completion.ts"
import type { Turns } from "../../core/Turns.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { EachRecord } from "../log/LogScan.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import { joinBodies } from "./Bodies.ts"
import type { BodyFilter } from "./BodyFilter.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import type { Channel } from "./Channel.ts"
import { keyAt } from "./HeldMessages.ts"

/** Messages, and bytes of bodies, that are read at once. */
const pageMessages = 256
const pageBytes = 1024 * 1024

/** Which messages of a channel are published again, and where. */
export interface RedriveQuery {
  /** The log of the channel's topic: another one, or none, after a change of the topic's durability. */
  readonly log: () => TopicLog | undefined
  readonly channel: Channel
  /** The id of a single message: its own, or if no message has it, the one before it became a dead letter. Default: all. */
  readonly id: string | undefined
  readonly filter: BodyFilter
  /** The topic that they go to. Default: the one that each came from. */
  readonly to: TopicName | undefined
  /** Messages per second; 0 for no limit. */
  readonly rate: number
}

/** Where a redrive publishes. */
export interface RedriveTarget {
  readonly publish: (
    topic: TopicName,
    bodies: PublishedBodies
  ) => Completion.Completion<BrokerError | StorageError>
  /** The log of a topic; `undefined` unless it exists and is durable. */
  readonly log: (topic: TopicName) => Pick<TopicLog, "durability" | "messagesSynced"> | undefined
}

/** What a redrive has done so far. */
export interface RedriveCounts {
  scanned: number
  moved: number
  skipped: number
}

const idAt = (frames: Buffer, start: number): string =>
  frames.toString("latin1", start + frameIdOffset, start + messageFrameHeaderSize)

interface Found {
  readonly sequence: number
  readonly key: MessageKey
  readonly body: Buffer
  readonly headers: Headers
}

const originPrefix = "nsq-origin-"

/** The headers of the new message: without the origin, and with the number of redrives. */
const headersAgain = (headers: Headers): Buffer => {
  const kept = Object.entries(headers).filter(([name]) => !name.startsWith(originPrefix) && name !== "nsq-dead-reason")
  const count = Number(headers["nsq-redriven"] ?? 0)
  const encoded = encodeHeaders({ ...Object.fromEntries(kept), "nsq-redriven": String(count + 1) })
  return Buffer.isBuffer(encoded) ? encoded : noHeaders
}

/**
 * Publishes the wanted messages that the channel has not finished now and that are not in flight, and counts them in `counts`.
 * Messages without an origin are skipped unless `to` is given.
 */
export const redrive = Effect.fnUntraced(function*(
  { channel, filter, id, log: logNow, rate, to }: RedriveQuery,
  target: RedriveTarget,
  turns: Turns,
  counts: RedriveCounts
): Effect.fn.Return<void, BrokerError | StorageError> {
  /** The log, which keeps its sequences when it is opened with another durability. Fails when the channel, or its topic, is deleted. */
  const currentLog = Effect.andThen(
    channel.moved,
    Effect.suspend((): Effect.Effect<TopicLog, BrokerError> => {
      if (channel.exiting) {
        return Effect.fail(
          brokerError(BrokerErrorReason.MissingChannel({ topic: channel.topic, channel: channel.name }))
        )
      }
      const log = logNow()
      return log === undefined
        ? Effect.fail(brokerError(BrokerErrorReason.NotDurable({ topic: channel.topic })))
        : Effect.succeed(log)
    })
  )
  const first = yield* currentLog
  // Messages that become dead letters again meanwhile are not published a second time.
  const { end } = first.history
  const began = yield* Clock.currentTimeMillis
  const floor = first.channelNamed(channel.name)?.floor ?? first.history.start
  const start = id === undefined ? floor : first.history.start
  let next: number | undefined = start

  /** Ids are unique within a topic only: the id of a dead letter may be the one that another had before. It is looked for first. */
  let isByOrigin = false
  let isKnown = false

  const isMeant = (frames: Buffer, start: number): boolean =>
    id === undefined ||
    id === (isByOrigin ? readHeaders(frameHeaders(frames, start))["nsq-origin-id"] : idAt(frames, start))

  const readPage = Effect.fnUntraced(function*(log: TopicLog, from: number) {
    const state = log.channelNamed(channel.name)
    const { burying } = channel
    const found: Array<Found> = []
    let bytes = 0
    let rest: number | undefined
    /** Adds the wanted messages of a record in steps; false if the page is full. */
    function* add(header: LogHeader, frames: Buffer, starts: Int32Array) {
      for (let sequence = Math.max(from, header.first); sequence < header.first + header.count; sequence++) {
        if (found.length >= pageMessages || bytes >= pageBytes || sequence >= end) {
          rest = sequence
          return false
        }
        counts.scanned++
        yield
        const start = starts[sequence - header.first]!
        if (!isMeant(frames, start)) continue
        // Also if it was redriven before: a redrive that is repeated publishes no other message.
        isKnown = true
        if (state === undefined || state.hasFinished(sequence) || burying.has(sequence)) continue
        const body = frames.subarray(frameBodyStart(frames, start), starts[sequence - header.first + 1])
        if (!filter.matches(body)) continue
        bytes += body.length
        const key = keyAt(frames, start)
        found.push({ sequence, key, body: Buffer.from(body), headers: readHeaders(frameHeaders(frames, start)) })
      }
      return true
    }
    const each: EachRecord = (header, frames) => {
      const starts = intactStarts(header, frames)
      return starts === undefined || add(header, frames, starts)
    }
    yield* log.history.scan(from, each, { turns })
    return { found, rest: rest !== undefined && rest < end ? rest : undefined }
  })

  /** Whether a consumer, or another dead-letter topic, has got the message since its page was read. */
  const isTaken = (log: TopicLog, { key, sequence }: Found): boolean =>
    log.channelNamed(channel.name)?.hasFinished(sequence) !== false ||
    channel.outstanding.has(key) || channel.burying.has(sequence)

  const move = (log: TopicLog, message: Found): Effect.Effect<void, BrokerError | StorageError> => {
    if (isTaken(log, message)) return Effect.void
    const { body, headers } = message
    const topic = to ?? headers["nsq-origin-topic"]
    if (topic === undefined || !isTopicName(topic)) {
      counts.skipped++
      return Effect.void
    }
    const published = Effect.suspend(() =>
      Completion.toEffect(target.publish(topic, joinBodies([body], headersAgain(headers))))
    )
    return Effect.uninterruptible(Effect.andThen(
      published,
      Effect.suspend(() => {
        counts.moved++
        if (target.log(topic)?.durability !== "written") return finish(message)
        unsynced.add(topic)
        unfinished.push(message)
        return Effect.void
      })
    ))
  }

  /** A consumer may have got the message meanwhile. */
  const finish = ({ key, sequence }: Found): Effect.Effect<void, StorageError> =>
    channel.finishAny(key) ? Effect.void : Effect.asVoid(channel.drop(sequence))

  /** Messages that are published to `written` topics, and not finished yet; and these topics. */
  let unfinished: Array<Found> = []
  let unsynced = new Set<TopicName>()

  /** Finishes them. They may have been durable for long: a loss of power must not take both. */
  const settle: Effect.Effect<void, StorageError> = Effect.uninterruptible(Effect.suspend(() => {
    const messages = unfinished
    const topics = unsynced
    unfinished = []
    unsynced = new Set()
    const synced = Effect.forEach(topics, (topic) => target.log(topic)?.messagesSynced ?? Effect.void, {
      discard: true
    })
    return Effect.andThen(synced, Effect.forEach(messages, finish, { discard: true }))
  }))

  /** How long the rate makes the next message wait, in ms. */
  const wait = Effect.map(
    Clock.currentTimeMillis,
    (now) => rate === 0 ? 0 : Math.max(0, began + 1000 * counts.moved / rate - now)
  )

  const pages = Effect.gen(function*() {
    while (next !== undefined) {
      const log: TopicLog = yield* currentLog
      const { found, rest }: { found: ReadonlyArray<Found>; rest: number | undefined } = yield* readPage(log, next)
      // What was read of a log that was closed meanwhile may not be all.
      if (logNow() !== log) continue
      for (const message of found) {
        if ((yield* wait) > 0) {
          yield* settle
          yield* Effect.sleep(Duration.millis(yield* wait))
        }
        yield* Effect.flatMap(currentLog, (log) => move(log, message))
      }
      yield* settle
      next = rest
      yield* turns.next
    }
  })
  // What is published by then is finished, also if the rest cannot be.
  const settled = Effect.onExit(pages, (exit) => Exit.isSuccess(exit) ? Effect.void : Effect.ignore(settle))
  yield* settled
  if (id === undefined || isKnown) return
  isByOrigin = true
  counts.scanned = 0
  next = start
  yield* settled
})
