/**
 * The expected behaviour of a topic and its channels, as a model without queues, disks or fibers: every message of a
 * channel is in exactly one place, and every rule takes a line or two. The broker may choose which waiting message a
 * ready consumer gets; the model follows its choice and checks that it was allowed.
 */
import { Schema } from "effect"
import type { AcknowledgementResult } from "../../../../src/broker.ts"

const Small = (maximum: number) => Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum })))
const Which = Small(3)
const ChannelIndex = Small(1)

/** Operations and events of a broker. Indexes of consumers and messages are taken modulo their number. */
export const Step = Schema.TaggedUnion({
  Publish: { count: Schema.Literals([1, 2, 5]) },
  PublishLater: { delay: Schema.Literals([1, 30, 200]) },
  /** The consumer takes at most `window` messages between two flushes, which does not change what it receives. */
  Subscribe: { channel: ChannelIndex, msgTimeout: Schema.Literals([20, 35]), window: Schema.Literals([1, 2, 1000]) },
  Ready: { consumer: Which, count: Small(4) },
  Block: { consumer: Which },
  Unblock: { consumer: Which },
  Finish: { consumer: Which, message: Which },
  Requeue: { consumer: Which, message: Which, delay: Schema.Literals([0, 7, 100]) },
  Touch: { consumer: Which, message: Which },
  /** The consumer touches its oldest message several times. */
  Hold: { consumer: Which, touches: Schema.Literals([1, 3, 6]) },
  Wait: { millis: Schema.Literals([1, 10, 45, 130]) },
  PauseTopic: { paused: Schema.Boolean },
  PauseChannel: { channel: ChannelIndex, paused: Schema.Boolean },
  EmptyTopic: {},
  EmptyChannel: { channel: ChannelIndex },
  Disconnect: { consumer: Which },
  /** Whether the consumers leave first. */
  Restart: { orderly: Schema.Boolean },
  /** The process ends without a stop; a broker without a log is restarted instead. */
  Kill: {}
})
export type Step = typeof Step.Type

export interface Settings {
  readonly durability: "memory" | "written" | "synced"
  readonly memQueueSize: number
  readonly requeueOnDisconnect: boolean
  readonly maxMsgTimeout: number
}

export class ConsumerModel {
  ready = 0
  blocked = false
  gone = false
  readonly counts = { messages: 0, finished: 0, requeued: 0 }
  readonly channel: ChannelModel
  readonly msgTimeout: number

  constructor(channel: ChannelModel, msgTimeout: number) {
    this.channel = channel
    this.msgTimeout = msgTimeout
  }

  get inFlight(): ReadonlyArray<MessageModel> {
    return this.channel.all("in flight").filter((message) => message.holder === this)
  }
  get capacity(): number {
    return this.blocked || this.gone ? 0 : Math.max(0, this.ready - this.inFlight.length)
  }
}

/** One channel's copy of a message. */
export interface MessageModel {
  readonly body: string
  attempts: number
  place: "waiting" | "in flight" | "deferred"
  holder: ConsumerModel | undefined
  deliveredAt: number
  /** The time at which it times out or becomes due. */
  deadline: number
  timedOutAt: number
  /** Whether it is unknown if its last timeout has counted. */
  hasUnclearAttempts: boolean
}

export class ChannelModel {
  paused = false
  counts = { messages: 0, requeued: 0, timedOut: 0 }
  readonly messages = new Map<string, MessageModel>()
  readonly consumers: Array<ConsumerModel> = []

  all(place: MessageModel["place"]): ReadonlyArray<MessageModel> {
    return Array.from(this.messages.values()).filter((message) => message.place === place)
  }

  put(body: string, now: number, due: number): void {
    this.counts.messages++
    const place = due > now ? "deferred" : "waiting"
    this.messages.set(body, {
      body,
      attempts: 0,
      place,
      holder: undefined,
      deliveredAt: 0,
      deadline: due,
      timedOutAt: 0,
      hasUnclearAttempts: false
    })
  }
}

export class TopicModel {
  now: number
  paused = false
  counts = { messages: 0, bytes: 0 }
  /** Published while there was no channel, or while the topic was paused. */
  held: Array<{ readonly body: string; readonly delay: number; readonly publishedAt: number }> = []
  readonly channels = new Map<number, ChannelModel>()
  consumers: Array<ConsumerModel> = []
  private readonly settings: Settings

  constructor(settings: Settings, now: number) {
    this.settings = settings
    this.now = now
  }

  private get hasLog(): boolean {
    return this.settings.durability !== "memory"
  }

  // ---- publishing

  publish(bodies: ReadonlyArray<string>, delay: number): void {
    for (const body of bodies) {
      this.counts.messages++
      this.counts.bytes += body.length
      this.held.push({ body, delay, publishedAt: this.now })
    }
    this.handOver()
  }

  private handOver(): void {
    if (this.paused || this.channels.size === 0) return
    for (const { body, delay, publishedAt } of this.held) {
      // In NSQ the delay begins when the message reaches the channel.
      const due = (this.hasLog ? publishedAt : this.now) + delay
      for (const channel of this.channels.values()) channel.put(body, this.now, due)
    }
    this.held = []
  }

  // ---- consumers

  subscribe(index: number, msgTimeout: number): ConsumerModel {
    const channel = this.channels.get(index) ?? new ChannelModel()
    this.channels.set(index, channel)
    const consumer = new ConsumerModel(channel, msgTimeout)
    channel.consumers.push(consumer)
    this.consumers.push(consumer)
    this.handOver()
    return consumer
  }

  disconnect(consumer: ConsumerModel): void {
    for (const message of consumer.inFlight) {
      message.holder = undefined
      if (this.settings.requeueOnDisconnect) message.place = "waiting"
    }
    consumer.gone = true
    this.consumers = this.consumers.filter((other) => other !== consumer)
  }

  /** The expected result of a FIN, REQ or TOUCH; `act` is its effect on the message. */
  acknowledge(
    consumer: ConsumerModel,
    message: MessageModel,
    act: (message: MessageModel) => void
  ): AcknowledgementResult {
    if (message.place !== "in flight" || !consumer.channel.messages.has(message.body)) return "not in flight"
    if (message.holder !== consumer) return "not owner"
    act(message)
    return "done"
  }

  finish(consumer: ConsumerModel, message: MessageModel): AcknowledgementResult {
    return this.acknowledge(consumer, message, () => {
      consumer.counts.finished++
      consumer.channel.messages.delete(message.body)
    })
  }

  requeue(consumer: ConsumerModel, message: MessageModel, delay: number): AcknowledgementResult {
    return this.acknowledge(consumer, message, () => {
      consumer.counts.requeued++
      consumer.channel.counts.requeued++
      message.holder = undefined
      message.place = delay > 0 ? "deferred" : "waiting"
      message.deadline = this.now + delay
    })
  }

  touch(consumer: ConsumerModel, message: MessageModel): AcknowledgementResult {
    return this.acknowledge(consumer, message, () => {
      const longest = message.deliveredAt + this.settings.maxMsgTimeout
      message.deadline = Math.min(this.now + consumer.msgTimeout, longest)
    })
  }

  // ---- administration

  pause(paused: boolean): void {
    this.paused = paused
    this.handOver()
  }

  /**
   * Everything goes through the disk. Disk queues keep attempts but no delays; a log keeps both, and after a kill the attempts
   * before the deliveries that have not ended. What has changed after `recordedAt` may not be recorded.
   */
  restart(isKilled: boolean, recordedAt: number): void {
    for (const consumer of this.consumers) consumer.gone = true
    this.consumers = []
    this.counts = { messages: 0, bytes: 0 }
    if (!this.hasLog) this.held = this.held.map((message) => ({ ...message, delay: 0 }))
    for (const channel of this.channels.values()) {
      channel.counts = { messages: 0, requeued: 0, timedOut: 0 }
      for (const message of channel.messages.values()) {
        if (message.place === "deferred" && this.hasLog) continue
        if (message.place === "in flight" && isKilled) message.attempts--
        else if (isKilled && message.timedOutAt > recordedAt) message.hasUnclearAttempts = true
        message.place = "waiting"
        message.holder = undefined
      }
    }
  }

  // ---- time

  /** The time at which the next message times out or becomes due. */
  get nextDeadline(): number {
    let next = Infinity
    for (const channel of this.channels.values()) {
      for (const { deadline, place } of channel.messages.values()) {
        if (place !== "waiting") next = Math.min(next, deadline)
      }
    }
    return next
  }

  advanceTo(now: number): void {
    this.now = now
    for (const channel of this.channels.values()) {
      for (const message of channel.messages.values()) {
        if (message.place === "waiting" || message.deadline > now) continue
        if (message.place === "in flight") {
          channel.counts.timedOut++
          message.timedOutAt = now
        }
        message.place = "waiting"
        message.holder = undefined
      }
    }
  }

  // ---- deliveries of the broker

  /** Records a delivery to a consumer; returns what was wrong with it, if anything. */
  delivered(consumer: ConsumerModel, body: string, attempts: number): string | undefined {
    const message = consumer.channel.messages.get(body)
    if (message === undefined) return `${body} was delivered, which the channel does not have`
    if (message.place !== "waiting") return `${body} was delivered while ${message.place} until ${message.deadline}`
    if (consumer.channel.paused) return `${body} was delivered by a paused channel`
    if (consumer.capacity === 0) return `${body} was delivered to a consumer that was not ready for it`
    if (message.hasUnclearAttempts && attempts === message.attempts) message.attempts--
    message.hasUnclearAttempts = false
    if (attempts !== message.attempts + 1) return `${body} has ${attempts} attempts instead of ${message.attempts + 1}`
    message.attempts = attempts
    message.place = "in flight"
    message.holder = consumer
    message.deliveredAt = this.now
    message.deadline = this.now + consumer.msgTimeout
    consumer.counts.messages++
    return undefined
  }

  /** Whether a channel has messages for a ready consumer, so that the broker is not idle yet. */
  get owesDeliveries(): boolean {
    return Array.from(this.channels.values()).some((channel) =>
      !channel.paused && channel.all("waiting").length > 0 && channel.consumers.some(({ capacity }) => capacity > 0)
    )
  }
}
