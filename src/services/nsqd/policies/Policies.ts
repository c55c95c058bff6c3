/**
 * The policies of a broker (docs/policies.md): those of the options, and those that were set at run time, which the storage
 * remembers. Topics and channels keep their resolved policies, which change in place.
 */
import { Context, Effect, PubSub, Result, Semaphore } from "effect"
import type { ListedPolicy, Policy } from "../../../protocol/http/PoliciesResponse.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import * as PolicyCheck from "../options/PolicyCheck.ts"
import { Storage } from "../storage/Storage.ts"
import { PoliciesError, PoliciesErrorReason } from "./PoliciesError.ts"
import { type InForce, PolicySet } from "./PolicySet.ts"
import { ChannelPolicy, TopicPolicy } from "./ResolvedPolicy.ts"

/** Policies that can be set at run time: each change reads all of them for every topic and channel. */
const maxPolicies = 1000

const refuse = (reason: PoliciesErrorReason): PoliciesError => new PoliciesError({ reason })

/**
 * The policies of a broker: limits, attempts, dead letters, time-to-live, de-duplication and retention by patterns of topics and
 * channels. The most specific pattern that sets a field decides it.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const policies = yield* Policies
 *   yield* policies.put({ match: "orders.*", max_attempts: 5 })
 *   return policies.inForce("orders.new", "billing")
 * })
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class Policies extends Context.Service<Policies, {
  /** The policy of a topic, updated in place until `forgetTopic`. */
  readonly topic: (name: string) => TopicPolicy
  /** The policy of a channel, updated in place until `forgetChannel` or `forgetTopic`. */
  readonly channel: (topic: string, name: string) => ChannelPolicy
  readonly forgetTopic: (name: string) => void
  readonly forgetChannel: (topic: string, name: string) => void
  /** All policies, the one with the highest precedence first. */
  readonly list: () => ReadonlyArray<ListedPolicy>
  /** The fields in force for a topic, or for a channel, and the policy of each; they need not exist. */
  readonly inForce: (topic: string, channel?: string) => InForce
  /**
   * Sets a policy, in place of an earlier one with the same pattern, and remembers it over restarts. It is in force when this
   * completes. Fails with the reasons `InvalidPolicy` and `PolicyLimit`.
   */
  readonly put: (policy: unknown) => Effect.Effect<Policy, PoliciesError | StorageError>
  /** Deletes a policy that was set at run time. Fails with the reasons `MissingPolicy` and `PolicyOfConfig`. */
  readonly remove: (match: string) => Effect.Effect<void, PoliciesError | StorageError>
  /** Whether a policy limits the publishes of single clients. */
  readonly limitsClients: () => boolean
  /** Published after each change, when the resolved policies have it. A busy subscriber gets one for several changes. */
  readonly changes: PubSub.PubSub<void>
}>()("effect-nsq/policies/Policies") {
  /** The policies of the options, and those of the `Storage`. Fails if these cannot be read. `Broker.layer` provides them. */
  static readonly make: Effect.Effect<Policies["Service"], StorageError, Storage> = Effect.suspend(() => make)
}

const make = Effect.gen(function*() {
  const { loadPolicies, savePolicies } = yield* Storage
  const { policies: config } = yield* NsqdOptions
  let current = new PolicySet(config, yield* loadPolicies)
  const topics = new Map<string, TopicPolicy>()
  const channels = new Map<string, Map<string, ChannelPolicy>>()
  const changes = yield* PubSub.sliding<void>(1)
  const alone = yield* Semaphore.make(1)

  const resolveAll = (): void => {
    for (const [name, policy] of topics) policy.update(current.ofTopic(name))
    for (const [topic, ofTopic] of channels) {
      for (const [name, policy] of ofTopic) policy.update(current.ofChannel(topic, name))
    }
    // A channel reads the policy of its topic as well.
    for (const ofTopic of channels.values()) for (const { owner } of ofTopic.values()) owner?.policyChanged()
    for (const { owner } of topics.values()) owner?.policyChanged()
  }

  const replace = (api: ReadonlyArray<Policy>): Effect.Effect<void, StorageError> =>
    savePolicies(api).pipe(
      Effect.andThen(Effect.sync(() => {
        current = new PolicySet(config, api)
        resolveAll()
      })),
      Effect.andThen(PubSub.publish(changes, undefined)),
      Effect.asVoid
    )

  const serialized = <A, E>(change: Effect.Effect<A, E>) => alone.withPermit(Effect.uninterruptible(change))

  const put = Effect.fn("Policies.put")(function*(given: unknown) {
    const checked = PolicyCheck.check(given)
    if (Result.isFailure(checked)) return yield* refuse(PoliciesErrorReason.InvalidPolicy(checked.failure))
    const policy = checked.success
    yield* serialized(Effect.suspend((): Effect.Effect<void, PoliciesError | StorageError> => {
      const others = current.api.filter(({ match }) => match !== policy.match)
      if (others.length >= maxPolicies) {
        return Effect.fail(refuse(PoliciesErrorReason.PolicyLimit({ max: maxPolicies })))
      }
      return replace([...others, policy])
    }))
    return policy
  })

  const remove = Effect.fn("Policies.remove")(function*(match: string) {
    yield* serialized(Effect.suspend((): Effect.Effect<void, PoliciesError | StorageError> => {
      const others = current.api.filter((policy) => policy.match !== match)
      if (others.length < current.api.length) return replace(others)
      const reason = current.config.some((policy) => policy.match === match)
        ? PoliciesErrorReason.PolicyOfConfig({ match })
        : PoliciesErrorReason.MissingPolicy({ match })
      return Effect.fail(refuse(reason))
    }))
  })

  return Policies.of({
    changes,
    put,
    remove,
    list: () => current.list,
    limitsClients: () => current.limitsClients,
    inForce: (topic, channel) => channel === undefined ? current.ofTopic(topic) : current.ofChannel(topic, channel),
    topic: (name) => {
      const existing = topics.get(name)
      if (existing !== undefined) return existing
      const policy = new TopicPolicy()
      if (!current.isEmpty) policy.update(current.ofTopic(name))
      topics.set(name, policy)
      return policy
    },
    channel: (topic, name) => {
      const ofTopic = channels.get(topic) ?? new Map<string, ChannelPolicy>()
      channels.set(topic, ofTopic)
      const existing = ofTopic.get(name)
      if (existing !== undefined) return existing
      const policy = new ChannelPolicy()
      if (!current.isEmpty) policy.update(current.ofChannel(topic, name))
      ofTopic.set(name, policy)
      return policy
    },
    forgetTopic: (name) => {
      topics.delete(name)
      channels.delete(name)
    },
    forgetChannel: (topic, name) => void channels.get(topic)?.delete(name)
  })
})
