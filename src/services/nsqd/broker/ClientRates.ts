/**
 * The limit of publishes of single clients (docs/policies.md#limits), over TCP and HTTP together. A client is a network address: a
 * name that it sends, or a connection, would be its own choice.
 *
 * Hot path: without such a policy a publish costs one comparison.
 */
import { Effect } from "effect"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import type { TopicName } from "../../../protocol/client/Names.ts"
import * as Completion from "../../core/Completion.ts"
import type { Time } from "../../core/Time.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Policies } from "../policies/Policies.ts"
import { areIndependent, partOf, refusedOf } from "./Bodies.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import { TokenBucket } from "./TokenBucket.ts"
import type { Topic } from "./Topic.ts"

/** Clients of topics that are remembered. Beyond it the one that has not published for the longest time is forgotten. */
const maxClients = 10_000
/** Idle clients that are looked for with each new one, so that the table shrinks without a timer. */
const looksPerClient = 4

/** A client of a topic. */
interface LimitedClient {
  readonly bucket: TokenBucket
  /** The rate of its last publish. */
  rate: number
}

/** Publishes bodies; see `Publisher`. */
export type Publish = (
  topic: TopicName,
  bodies: PublishedBodies,
  deferMillis: number
) => Completion.Completion<BrokerError | StorageError>

export class ClientRates {
  private readonly policies: Pick<Policies["Service"], "inForce" | "limitsClients">
  private readonly findTopic: (name: string) => Topic | undefined
  private readonly time: Pick<Time, "monotonicMillis">
  private readonly most: number
  /** By topic and address, the one that has not published for the longest time first. */
  private readonly clients = new Map<string, LimitedClient>()

  constructor(
    policies: Pick<Policies["Service"], "inForce" | "limitsClients">,
    findTopic: (name: string) => Topic | undefined,
    time: Pick<Time, "monotonicMillis">,
    most = maxClients
  ) {
    this.policies = policies
    this.findTopic = findTopic
    this.time = time
    this.most = most
  }

  /** Clients of topics that are remembered. */
  get size(): number {
    return this.clients.size
  }

  /** Whether a policy limits clients: otherwise their address need not be known. */
  get isOn(): boolean {
    return this.policies.limitsClients()
  }

  /** Publishes as much as the rate of the client with this network address permits, and fails with the reason `RateLimit` for the rest. */
  publish(
    publish: Publish,
    address: string,
    topic: TopicName,
    bodies: PublishedBodies,
    deferMillis: number
  ): Completion.Completion<BrokerError | StorageError> {
    const rate = this.rateOf(topic)
    if (rate === 0) return publish(topic, bodies, deferMillis)
    const count = this.admit(address, topic, bodies, rate)
    if (count === bodies.count) return publish(topic, bodies, deferMillis)
    const description = `topic ${topic} takes ${rate} messages per second of each client (client_publish_rate)`
    const refused = Effect.suspend(() => {
      this.findTopic(topic)?.noteRejected(refusedOf(bodies, count))
      return Effect.fail(brokerError(BrokerErrorReason.RateLimit({ description }), count))
    })
    if (count === 0) return refused
    return Effect.andThen(Completion.toEffect(publish(topic, partOf(bodies, 0, count), deferMillis)), refused)
  }

  private rateOf(name: TopicName): number {
    const topic = this.findTopic(name)
    if (topic !== undefined) return topic.policy.clientPublishRate
    const rate = this.policies.inForce(name).client_publish_rate?.value
    return typeof rate === "number" ? rate : 0
  }

  /** How many of the bodies are admitted: of one unit all or none. */
  private admit(address: string, topic: TopicName, bodies: PublishedBodies, rate: number): number {
    const now = this.time.monotonicMillis()
    const { bucket } = this.clientOf(`${topic} ${address}`, rate, now)
    const available = Math.max(0, bucket.available(rate, now))
    const isUnit = !areIndependent(bodies)
    const count = isUnit ? (bucket.allows(bodies.count, rate) ? bodies.count : 0) : Math.min(bodies.count, available)
    bucket.take(count)
    return count
  }

  private clientOf(key: string, rate: number, now: number): LimitedClient {
    const known = this.clients.get(key)
    if (known === undefined) this.makeRoom(now)
    else this.clients.delete(key)
    const client = known ?? { bucket: new TokenBucket(), rate }
    client.rate = rate
    this.clients.set(key, client)
    return client
  }

  /** Forgets clients that may publish as much as unknown ones, and one more if the table is full. */
  private makeRoom(now: number): void {
    let looks = looksPerClient
    for (const [key, { bucket, rate }] of this.clients) {
      const isFull = this.clients.size >= this.most
      if (!isFull && (looks-- <= 0 || !bucket.isFull(rate, now))) return
      this.clients.delete(key)
    }
  }
}
