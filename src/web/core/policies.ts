/** The policies of several nsqds as rows, and a policy as the values of a form. Pure. */
import { deadLetterName, defaultDeadLetter } from "../../protocol/client/DeadLetterName.ts"
import type { InForceOnNode, PoliciesOnNode } from "../../protocol/http/admin/AdminStorage.ts"
import type { ListedPolicy, PolicyField } from "../../protocol/http/PoliciesResponse.ts"

/** A field of a policy in a form. */
export interface FormField {
  readonly name: PolicyField
  /** The meaning, and an example. */
  readonly help: string
  readonly kind: "number" | "text" | ReadonlyArray<string>
}

/** The fields of a form that belong together, under a heading. */
export interface FormGroup {
  readonly title: string
  readonly fields: ReadonlyArray<FormField>
}

/** All fields of a policy, in groups. */
export const formGroups: ReadonlyArray<FormGroup> = [
  {
    title: "Limits",
    fields: [
      { name: "max_depth", kind: "number", help: "Limit of unfinished messages" },
      { name: "max_bytes", kind: "number", help: "Limit of the bytes of unfinished messages" },
      { name: "max_age", kind: "text", help: "Limit of the age of unfinished messages: 24h" },
      { name: "on_full", kind: ["reject", "drop_oldest", "dead_letter"], help: "What happens at these limits" },
      { name: "publish_rate", kind: "number", help: "Publishes per second" },
      { name: "client_publish_rate", kind: "number", help: "Publishes per second of each client" }
    ]
  },
  {
    title: "Dead letters",
    fields: [
      { name: "max_attempts", kind: "number", help: "Deliveries until a message is a dead letter" },
      { name: "dead_letter", kind: "text", help: "Topic of dead letters: {topic}.dlq" },
      { name: "count_disconnects", kind: ["true", "false"], help: "A lost consumer counts as a failed attempt" }
    ]
  },
  {
    title: "Expiry and duplicates",
    fields: [
      { name: "ttl", kind: "text", help: "Time-to-live of messages: 1h" },
      { name: "on_expired", kind: ["drop", "dead_letter"], help: "What happens to expired messages" },
      { name: "dedup_window", kind: "text", help: "How long keys of publishes are remembered: 10m" },
      { name: "dedup_count", kind: "number", help: "Largest number of keys that are remembered" }
    ]
  },
  {
    title: "Finished messages of durable topics",
    fields: [
      { name: "retention_age", kind: "text", help: "Time that finished messages are kept: 168h" },
      { name: "retention_bytes", kind: "number", help: "Bytes of finished messages that are kept" }
    ]
  }
]

/** The fields of all groups. */
export const formFields: ReadonlyArray<FormField> = formGroups.flatMap(({ fields }) => fields)

/** Formats the value of a field: numbers with separators between thousands. */
export const valueText = (value: string | number | boolean): string =>
  typeof value === "number" ? value.toLocaleString("en-US") : String(value)

/** The values of a form by the names of its fields; empty ones are not set. */
export type Values = Readonly<Record<string, string>>

/** Returns the policy of a form. Numbers that are not valid remain strings: nsqd refuses them with the field. */
export const policyOf = (values: Values): Record<string, string | number | boolean> => {
  const policy: Record<string, string | number | boolean> = { match: values["match"] ?? "" }
  for (const { kind, name } of formFields) {
    const value = (values[name] ?? "").trim()
    if (value === "") continue
    const number = Number(value)
    policy[name] = kind === "number" && Number.isFinite(number)
      ? number
      : name === "count_disconnects"
      ? value === "true"
      : value
  }
  return policy
}

/** Returns the fields of a policy with their values. */
export const fieldsOf = (
  policy: ListedPolicy
): ReadonlyArray<readonly [name: string, value: string | number | boolean]> =>
  Object.entries(policy).flatMap(([name, value]) =>
    name === "match" || name === "source" || value === undefined ? [] : [[name, value] as const]
  )

/** Returns the values of a form for a policy. */
export const valuesOf = (policy: ListedPolicy): Values => ({
  match: policy.match,
  ...Object.fromEntries(fieldsOf(policy).map(([name, value]) => [name, String(value)]))
})

/** A policy that some nsqds have, in the same form. */
export interface PolicyRow {
  readonly policy: ListedPolicy
  /** The nsqds that have it in this form. */
  readonly nodes: ReadonlyArray<string>
  /** The nsqds with policies that have another one with the same pattern, or none. */
  readonly others: ReadonlyArray<string>
}

const keyOf = (policy: ListedPolicy): string => JSON.stringify(Object.entries(policy).toSorted())

/** Returns the policies of all nsqds: one row for each pattern and form. */
export const rowsOf = (nodes: ReadonlyArray<PoliciesOnNode>): ReadonlyArray<PolicyRow> => {
  const known = nodes.flatMap(({ node, policies }) => policies === null ? [] : [{ node, policies }])
  const rows = new Map<string, { policy: ListedPolicy; nodes: Array<string> }>()
  for (const { node, policies } of known) {
    for (const policy of policies) {
      const row = rows.get(keyOf(policy)) ?? { policy, nodes: [] }
      rows.set(keyOf(policy), row)
      row.nodes.push(node)
    }
  }
  return [...rows.values()]
    .map(({ nodes: having, policy }) => ({
      policy,
      nodes: having,
      others: known.filter(({ node }) => !having.includes(node)).map(({ node }) => node)
    }))
    .toSorted((a, b) => a.policy.match < b.policy.match ? -1 : a.policy.match > b.policy.match ? 1 : 0)
}

/** A field in force with the nsqds where it has this value. */
export interface InForceRow {
  readonly field: string
  readonly value: string
  readonly match: string
  readonly source: string
  readonly nodes: ReadonlyArray<string>
  /** Whether other nsqds have another value or none. */
  readonly differs: boolean
}

/** Returns what applies on all nsqds. */
export const inForce = (nodes: ReadonlyArray<InForceOnNode>): ReadonlyArray<InForceRow> => {
  const known = nodes.flatMap(({ fields, node }) => fields === null ? [] : [{ node, fields }])
  const rows = new Map<string, Omit<InForceRow, "nodes" | "differs"> & { nodes: Array<string> }>()
  for (const { fields, node } of known) {
    for (const [field, { match, source, value }] of Object.entries(fields)) {
      const key = JSON.stringify([field, value, match, source])
      const row = rows.get(key) ?? { field, value: valueText(value), match, source, nodes: [] }
      rows.set(key, row)
      row.nodes.push(node)
    }
  }
  return [...rows.values()].map((row) => ({ ...row, differs: row.nodes.length < known.length }))
}

/** Returns the nsqds that have not replied, of those that responded in part and of all that have the topic. */
export const pending = (nodes: ReadonlyArray<InForceOnNode>, hosts: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...nodes.filter(({ error }) => error !== "").map(({ node }) => node),
  ...hosts.filter((host) => nodes.every(({ node }) => node !== host))
]

/** Returns the topic of the dead letters of a channel, by the first nsqd with a policy for it. */
export const deadLetterTopic = (nodes: ReadonlyArray<InForceOnNode>, topic: string, channel: string): string => {
  const [template] = nodes.flatMap(({ fields }) =>
    fields?.["dead_letter"] === undefined ? [] : [fields["dead_letter"].value]
  )
  return deadLetterName(typeof template === "string" ? template : defaultDeadLetter, topic, channel)
}

/** Returns the field and the reason of a refused policy. */
export const problemOf = (message: string): { readonly field: string; readonly why: string } | undefined => {
  const found = /^INVALID_POLICY: (\w+): (.*)$/s.exec(message)
  return found === null ? undefined : { field: found[1] ?? "", why: found[2] ?? "" }
}
