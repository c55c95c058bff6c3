/**
 * Stores dead letters in their topic (docs/policies.md#dead-letters). The channel that a message comes from finishes it when that is
 * done.
 */
import { Effect } from "effect"
import { deadLetterName } from "../../../protocol/client/DeadLetterName.ts"
import { encodeHeaders, type Headers, readHeaders } from "../../../protocol/client/Headers.ts"
import {
  frameAttempts,
  frameBodyStart,
  frameHeaders,
  frameIdOffset,
  frameTimestampOffset,
  type PublishedBodies
} from "../../../protocol/client/MessageBatch.ts"
import { isEphemeral, isTopicName, type TopicName } from "../../../protocol/client/Names.ts"
import * as Completion from "../../core/Completion.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { Durability } from "../options/Durability.ts"
import { joinBodies } from "./Bodies.ts"
import type { BrokerError } from "./BrokerError.ts"
import { expiryHeader } from "./Expiry.ts"

/** A message that is moved. */
export interface Letter {
  /** Its frame, whose attempts include a delivery that does not follow. */
  readonly frame: Buffer
  /** Why it is moved, such as `max_attempts`. */
  readonly reason: string
  /** The client that had it last; empty if it is not known. */
  readonly client: string
}

/** The topic and channel that messages come from. `template` is the name of the dead-letter topic, with placeholders. */
export interface Origin {
  readonly topic: TopicName
  readonly channel: string
  readonly template: string
}

/** The topic that dead letters are stored in. */
interface Target {
  readonly durability: Durability
  readonly log: Pick<TopicLog, "messagesSynced"> | undefined
  readonly put: (bodies: PublishedBodies, deferMillis: number) => Completion.Completion<BrokerError>
}

/** What the broker does for dead letters. */
export interface Postbox {
  readonly findTopic: (name: string) => Target | undefined
  /** Whether topics can have logs. */
  readonly hasLogs: boolean
  readonly topic: (name: TopicName) => Effect.Effect<Target, BrokerError | StorageError>
  readonly setDurability: (
    topic: string,
    durability: Durability
  ) => Effect.Effect<unknown, BrokerError | StorageError>
}

const ranks: ReadonlyArray<Durability> = ["memory", "written", "synced"]

export class DeadLetters {
  private postbox: Postbox | undefined

  /** Sets the broker, which is made after what its topics share. */
  use(postbox: Postbox): void {
    this.postbox = postbox
  }

  /**
   * Stores messages in their dead-letter topic, which becomes as durable as their topic. One that does not exist is created, with a
   * log. Calls `stored` when that is done, without an interruption in between.
   */
  store(
    origin: Origin,
    letters: ReadonlyArray<Letter>,
    stored: () => void
  ): Effect.Effect<void, BrokerError | StorageError> {
    const { postbox } = this
    const name = deadLetterName(origin.template, origin.topic, origin.channel)
    if (postbox === undefined || !isTopicName(name)) {
      return Effect.die(new Error(`invariant: "${name}" is the name of a dead-letter topic`))
    }
    return Effect.gen(function*() {
      const isNew = postbox.findTopic(name) === undefined
      const target = yield* postbox.topic(name)
      const ofOrigin = postbox.findTopic(origin.topic)?.durability ?? "memory"
      // The files of a topic as in NSQ have no room for the origin.
      const least = isNew && postbox.hasLogs && ofOrigin === "memory" ? "written" : ofOrigin
      if (!isEphemeral(name) && ranks.indexOf(target.durability) < ranks.indexOf(least)) {
        yield* postbox.setDurability(name, least)
      }
      const put = Effect.suspend(() => Completion.toEffect(target.put(bodiesOf(origin, letters), 0)))
      // The message may have been durable for long: a loss of power must not take both.
      const synced = Effect.suspend((): Effect.Effect<void, StorageError> => target.log?.messagesSynced ?? Effect.void)
      yield* Effect.uninterruptible(put.pipe(Effect.andThen(synced), Effect.andThen(Effect.sync(stored))))
    })
  }
}

/** The longest value of a header that a client chooses, in characters. */
const maxTextLength = 256

const printable = (text: string): string =>
  Array.from(text.toWellFormed(), (character) => character < " " || character === "\u007f" ? " " : character)
    .slice(0, maxTextLength).join("").trim()

const headersOf = ({ channel, topic }: Origin, { client, frame, reason }: Letter): Buffer => {
  const origin: Headers = {
    "nsq-origin-topic": topic,
    ...(channel === "" ? {} : { "nsq-origin-channel": channel }),
    "nsq-origin-id": frame.toString("latin1", frameIdOffset, frameIdOffset + 16),
    "nsq-origin-timestamp": String(frame.readBigInt64BE(frameTimestampOffset)),
    "nsq-origin-attempts": String(frameAttempts(frame, 0) - 1),
    ...(client === "" ? {} : { "nsq-origin-client": printable(client) }),
    "nsq-dead-reason": printable(reason)
  }
  const { [expiryHeader]: expires, ...kept } = readHeaders(frameHeaders(frame, 0))
  // A dead letter does not expire by the time-to-live that the message had.
  const all = encodeHeaders({ ...kept, ...origin, ...expires !== undefined && { "nsq-origin-expires": expires } })
  if (Buffer.isBuffer(all)) return all
  // The message has more headers than have room beside the origin.
  const own = encodeHeaders(origin)
  if (Buffer.isBuffer(own)) return own
  throw own
}

const bodiesOf = (origin: Origin, letters: ReadonlyArray<Letter>): PublishedBodies =>
  joinBodies(
    letters.map(({ frame }) => frame.subarray(frameBodyStart(frame, 0))),
    letters.map((letter) => headersOf(origin, letter))
  )
