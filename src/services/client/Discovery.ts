/**
 * The nsqd of a topic: fixed addresses, or the producers that nsqlookupd returns, polled or watched
 * (docs/protocol/library.md#discovery). The result is a Stream of address lists; a server that fails is logged and does not end
 * it.
 */
import { Duration, Effect, Queue, Random, Result, Stream } from "effect"
import type { HttpClient } from "effect/http"
import type { TopicName } from "../../protocol/client/Names.ts"
import * as DaemonNetworks from "../net/DaemonNetworks.ts"
import type { Origin } from "../net/DaemonNetworks.ts"
import type { ClientError } from "./ClientError.ts"
import { ServerReport } from "./Connections.ts"
import { hostOf } from "./LookupAddress.ts"

/**
 * Addresses of nsqd to connect to, or of nsqlookupd to query.
 *
 * @since 0.1.0
 * @category models
 */
export type Servers =
  | {
    /** `host:port` of each nsqd. */
    readonly nsqd: ReadonlyArray<string>
  }
  | {
    /** `host:port` or `http(s)://host:port`. */
    readonly lookupd: ReadonlyArray<string>
    /** Time between two polls. Default: 60 s. */
    readonly pollInterval?: Duration.Input
    /** Random part of the interval by which the second poll is delayed, from 0 to 1, to spread the load. Default: 0.3. */
    readonly pollJitter?: number
    /**
     * Networks that the addresses from nsqlookupd must be in, in CIDR notation. Default: all addresses except link-local,
     * multicast and unspecified ones, and loopback unless the nsqlookupd is on loopback itself.
     */
    readonly allowedNetworks?: ReadonlyArray<string>
  }

/**
 * Whether the servers are nsqlookupd.
 *
 * @since 0.1.0
 * @category guards
 */
export const isLookup = (servers: Servers): servers is Extract<Servers, { readonly lookupd: ReadonlyArray<string> }> =>
  "lookupd" in servers

const requests = Effect.promise(() => import("./LookupRequests.ts"))

/**
 * Returns the nsqd that have a topic, or all nsqd, from one nsqlookupd. Returns none for an unknown topic. Fails with the reason
 * `LookupFailure`.
 *
 * @since 0.1.0
 * @category operations
 */
export const lookup = Effect.fn("Discovery.lookup")((
  address: string,
  topic: string | undefined
): Effect.Effect<ReadonlyArray<string>, ClientError, HttpClient.HttpClient> =>
  Effect.flatMap(requests, ({ lookup }) => lookup(address, topic))
)

/**
 * Returns all topics of one nsqlookupd. Fails with the reason `LookupFailure`.
 *
 * @since 0.1.0
 * @category operations
 */
export const topics = Effect.fn("Discovery.topics")((
  address: string
): Effect.Effect<ReadonlyArray<string>, ClientError, HttpClient.HttpClient> =>
  Effect.flatMap(requests, ({ topics }) => topics(address))
)

/**
 * Streams the nsqd of a topic from one nsqlookupd: at once and after every change. Reconnects when the connection is lost; ends
 * if the server does not support `/watch`.
 *
 * @since 0.1.0
 * @category operations
 */
export const watch = (
  address: string,
  topic: string
): Stream.Stream<ReadonlyArray<string>, never, HttpClient.HttpClient> =>
  Stream.unwrap(Effect.map(requests, ({ watch }) => watch(address, topic)))

/**
 * The nsqd of a topic, kept current.
 *
 * @since 0.1.0
 * @category models
 */
export interface Discovery {
  /** The known addresses: now, and after each poll and each change. */
  readonly addresses: Stream.Stream<ReadonlyArray<string>, never, HttpClient.HttpClient>
  /** Polls at once, for example because a connection is lost. */
  readonly hurry: Effect.Effect<void>
  /** How the address was found: configured, or named by an nsqlookupd on loopback or elsewhere. */
  readonly originOf: (address: string) => Effect.Effect<Origin>
  /** The networks that addresses from nsqlookupd must be in. */
  readonly networks: DaemonNetworks.DaemonNetworks
}

/** Returns the allowed networks of these servers, or those of the environment. */
const networksOf = Effect.fnUntraced(function*(servers: Servers) {
  const listed = isLookup(servers) ? servers.allowedNetworks ?? [] : []
  if (listed.length === 0) return yield* DaemonNetworks.DaemonNetworks
  const parsed = DaemonNetworks.parse(listed)
  return Result.isSuccess(parsed)
    ? DaemonNetworks.make(parsed.success)
    : yield* Effect.die(
      new RangeError(`allowedNetworks: ${parsed.failure.reason.description} is not a network in CIDR notation`)
    )
})

/**
 * Finds the nsqd of a topic, or all nsqd, while the Stream is consumed. The result is the union over every nsqlookupd; one that
 * fails counts with its last response. `onLookup` is called after each poll, with the reason if it failed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(
  servers: Servers,
  topic: TopicName | undefined,
  onLookup: (address: string, error: ClientError | undefined) => void = () => {}
): Effect.fn.Return<Discovery> {
  const networks = yield* networksOf(servers)
  if (!isLookup(servers)) {
    return {
      addresses: Stream.concat(Stream.succeed(servers.nsqd), Stream.never),
      hurry: Effect.void,
      originOf: () => Effect.succeed("configured"),
      networks
    }
  }
  const interval = Duration.toMillis(Duration.fromInputUnsafe(servers.pollInterval ?? "60 seconds"))
  const jitter = interval * (servers.pollJitter ?? 0.3) * (yield* Random.next)
  const known = new Map<string, ReadonlyArray<string>>()
  const hurries: Array<Queue.Queue<void>> = []

  /** Polls one nsqlookupd. Each has its own loop, so that a slow one does not delay the others. */
  const polls = Effect.fnUntraced(function*(address: string) {
    const hurried = yield* Queue.sliding<void>(1)
    hurries.push(hurried)
    let isAway = false
    const responds = Effect.logInfo(`nsqlookupd (${address}) responds again`).pipe(
      Effect.provideService(ServerReport, { address, isAway: false })
    )
    const poll = Effect.matchEffect(lookup(address, topic), {
      onSuccess: (found) =>
        Effect.suspend(() => {
          onLookup(address, undefined)
          known.set(address, found)
          const isBack = isAway
          isAway = false
          return isBack ? responds : Effect.void
        }),
      onFailure: (error) =>
        Effect.suspend(() => {
          onLookup(address, error)
          isAway = true
          return Effect.logWarning(error.message)
        }).pipe(Effect.provideService(ServerReport, { address, isAway: true }))
    })
    const pollAfter = (millis: number) =>
      Stream.fromEffect(Effect.andThen(Effect.timeoutOption(Queue.take(hurried), millis), poll))
    return Stream.fromEffect(poll).pipe(
      Stream.concat(pollAfter(jitter)),
      Stream.concat(Stream.forever(pollAfter(interval)))
    )
  })

  const polled = yield* Effect.forEach(servers.lookupd, polls)
  const watched = topic === undefined ?
    [] :
    servers.lookupd.map((address) => Stream.map(watch(address, topic), (found) => void known.set(address, found)))
  return {
    addresses: Stream.mergeAll([...polled, ...watched], { concurrency: "unbounded" }).pipe(
      Stream.map(() => [...new Set([...known.values()].flat())])
    ),
    hurry: Effect.forEach(hurries, (hurried) => Queue.offer(hurried, undefined), { discard: true }),
    originOf: Effect.fnUntraced(function*(address: string): Effect.fn.Return<Origin> {
      const namers = Array.from(known).flatMap(([lookupd, found]) => found.includes(address) ? [lookupd] : [])
      const origins = yield* Effect.forEach(namers, (lookupd) => networks.originBy(hostOf(lookupd)))
      return origins.includes("loopback") ? "loopback" : "remote"
    }),
    networks
  }
})
