/**
 * Policies in the order of their precedence, and the values in force for a topic or a channel: each field has that of the most
 * specific policy which sets it.
 */
import { Result } from "effect"
import { deadLetterName, defaultDeadLetter, patternOf } from "../../../protocol/client/DeadLetterName.ts"
import type {
  FieldInForce,
  ListedPolicy,
  Policy,
  PolicyField,
  PolicySource
} from "../../../protocol/http/PoliciesResponse.ts"
import * as PolicyMatch from "../options/PolicyMatch.ts"

/**
 * The values in force, by field.
 *
 * @since 0.2.0
 * @category models
 */
export type InForce = { readonly [Name in PolicyField]?: FieldInForce }

const topicFields: ReadonlyArray<PolicyField> = [
  "ttl",
  "on_expired",
  "max_age",
  "max_depth",
  "max_bytes",
  "on_full",
  "publish_rate",
  "client_publish_rate",
  "dedup_window",
  "dedup_count",
  "retention_age",
  "retention_bytes",
  "dead_letter"
]

/** Those that a channel also has from the policies of its topic. */
const inheritedFields: ReadonlyArray<PolicyField> = [
  "ttl",
  "on_expired",
  "max_attempts",
  "dead_letter",
  "count_disconnects"
]

/** Those of a pattern of topics are limits of the topic. */
const ownFields: ReadonlyArray<PolicyField> = ["max_age", "max_depth", "max_bytes", "on_full"]

interface Entry {
  readonly policy: Policy
  readonly source: PolicySource
  readonly match: PolicyMatch.PolicyMatch
}

const entriesOf = (policies: ReadonlyArray<Policy>, source: PolicySource): ReadonlyArray<Entry> =>
  policies.flatMap((policy) => {
    const match = PolicyMatch.parse(policy.match)
    return Result.isFailure(match) ? [] : [{ policy, source, match: match.success }]
  })

export class PolicySet {
  /** Sorted, the one with the highest precedence first. */
  private readonly entries: ReadonlyArray<Entry>
  private readonly hasClientRates: boolean
  /** The patterns of the names of dead-letter topics. */
  private readonly deadLetters: ReadonlyArray<string>
  readonly config: ReadonlyArray<Policy>
  readonly api: ReadonlyArray<Policy>

  /** Of equally specific policies, those of `api` precede those of `config`, and later ones earlier ones. All are valid. */
  constructor(config: ReadonlyArray<Policy>, api: ReadonlyArray<Policy>) {
    this.hasClientRates = [...config, ...api].some(({ client_publish_rate: rate }) => rate !== undefined && rate > 0)
    this.deadLetters = [...config, ...api].flatMap(({ dead_letter: name }) => name ?? [])
      .concat(defaultDeadLetter).map(patternOf)
    this.config = config
    this.api = api
    this.entries = [...entriesOf(config, "config"), ...entriesOf(api, "api")].reverse().toSorted((a, b) =>
      PolicyMatch.compare(b.match, a.match)
    )
  }

  /** Whether a policy has `client_publish_rate`. */
  get limitsClients(): boolean {
    return this.hasClientRates
  }

  get isEmpty(): boolean {
    return this.entries.length === 0
  }

  /** All policies, the one with the highest precedence first. */
  get list(): ReadonlyArray<ListedPolicy> {
    return this.entries.map(({ policy, source }) => ({ ...policy, source }))
  }

  /** The values in force for a topic. */
  ofTopic(topic: string): InForce {
    const matching = this.entries.filter(({ match }) => PolicyMatch.matchesTopic(match, topic))
    return this.withoutCycle(pick(this.withoutBurial(matching, topic), topicFields), topic, "")
  }

  /**
   * Dead letters of dead letters would be moved repeatedly: a pattern with wildcards does not make messages of a dead-letter topic dead
   * letters, nor does it drop those that it would have moved. Nor does its limit of age refuse any, because they wait there for long.
   */
  private withoutBurial(entries: ReadonlyArray<Entry>, topic: string): ReadonlyArray<Entry> {
    if (!this.deadLetters.some((pattern) => PolicyMatch.matches(pattern, topic))) return entries
    return entries.map((entry) => {
      if (entry.match.topic === topic) return entry
      const { max_age, max_attempts: _, on_expired, on_full, ttl, ...rest } = entry.policy
      const policy: Policy = {
        ...rest,
        ...(on_full === undefined || on_full === "dead_letter" ? {} : { on_full }),
        ...(max_age === undefined || on_full !== "drop_oldest" ? {} : { max_age }),
        ...(on_expired === undefined || on_expired === "dead_letter" ? {} : { on_expired }),
        ...(ttl === undefined || on_expired === "dead_letter" ? {} : { ttl })
      }
      return { ...entry, policy }
    })
  }

  /** The values in force for a channel. */
  ofChannel(topic: string, channel: string): InForce {
    const all = this.entries.filter(({ match }) => PolicyMatch.matchesChannel(match, topic, channel))
    const matching = this.withoutBurial(all, topic)
    const inForce = {
      ...pick(matching, inheritedFields),
      ...pick(matching.filter(({ match }) => match.channel !== undefined), ownFields)
    }
    return this.withoutCycle(inForce, topic, channel)
  }

  /** What would move messages around indefinitely, without a consumer, has no effect: limits refuse messages then, and expired ones are dropped. */
  private withoutCycle(inForce: InForce, topic: string, channel: string): InForce {
    if (!moves(inForce) || !this.leadsTo(topic, destinationOf(inForce, topic, channel))) return inForce
    const { on_expired, on_full, ...rest } = inForce
    return {
      ...rest,
      ...(on_full === undefined || on_full.value === "dead_letter" ? {} : { on_full }),
      ...(on_expired === undefined || on_expired.value === "dead_letter" ? {} : { on_expired })
    }
  }

  /** Whether dead letters in `from` can become dead letters in `topic`. */
  private leadsTo(topic: string, from: string): boolean {
    const passed = new Set<string>()
    for (let name = from; !passed.has(name);) {
      if (name === topic) return true
      passed.add(name)
      const matching = this.entries.filter(({ match }) => PolicyMatch.matchesTopic(match, name))
      const inForce = pick(this.withoutBurial(matching, name), topicFields)
      if (!moves(inForce)) return false
      name = destinationOf(inForce, name, "")
    }
    return false
  }
}

/** Whether messages can become dead letters without a consumer. */
const moves = ({ on_expired, on_full }: InForce): boolean =>
  on_full?.value === "dead_letter" || on_expired?.value === "dead_letter"

const destinationOf = ({ dead_letter }: InForce, topic: string, channel: string): string =>
  deadLetterName(typeof dead_letter?.value === "string" ? dead_letter.value : defaultDeadLetter, topic, channel)

const pick = (entries: ReadonlyArray<Entry>, fields: ReadonlyArray<PolicyField>): InForce => {
  const found: { [Name in PolicyField]?: FieldInForce } = {}
  for (const field of fields) {
    for (const { policy, source } of entries) {
      const value = policy[field]
      if (value === undefined) continue
      found[field] = { value, match: policy.match, source }
      break
    }
  }
  return found
}
