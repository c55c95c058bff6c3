import { assert, describe, it } from "@effect/vitest"
import { Policy } from "../../../src/protocol/http/PoliciesResponse.ts"
import * as Policies from "../../../src/web/core/policies.ts"

const policy = { match: "a*", max_depth: 5, source: "api" } as const

describe("policies", () => {
  it("policies of several nsqds are one row each, with the nsqds that differ", () => {
    const rows = Policies.rowsOf([
      { node: "n1", policies: [policy], error: "" },
      { node: "n2", policies: [{ ...policy, max_depth: 6 }], error: "" },
      { node: "n3", policies: [{ source: "api", max_depth: 5, match: "a*" }], error: "" },
      { node: "go", policies: null, error: "" }
    ])
    assert.deepStrictEqual(rows.map(({ nodes, others, policy: { max_depth } }) => [max_depth, nodes, others]), [
      [5, ["n1", "n3"], ["n2"]],
      [6, ["n2"], ["n1", "n3"]]
    ])
  })

  it("the topic of a channel's dead letters has the name of the policy in force, or the default", () => {
    const node = (dead_letter?: string) => ({
      node: "n",
      fields: dead_letter === undefined
        ? {}
        : { dead_letter: { value: dead_letter, match: "a*", source: "api" as const } },
      error: ""
    })
    assert.strictEqual(Policies.deadLetterTopic([node()], "a", "c"), "a.dlq")
    assert.strictEqual(Policies.deadLetterTopic([node("{topic}.{channel}.dead"), node()], "a", "c"), "a.c.dead")
  })

  it("a form has the values of a policy, and a policy the types of its fields", () => {
    const values = Policies.valuesOf({ ...policy, ttl: "1h", on_expired: "dead_letter", count_disconnects: false })
    assert.deepStrictEqual(values, {
      match: "a*",
      max_depth: "5",
      ttl: "1h",
      on_expired: "dead_letter",
      count_disconnects: "false"
    })
    assert.deepStrictEqual(Policies.policyOf({ ...values, max_bytes: "many", on_full: "" }), {
      match: "a*",
      max_depth: 5,
      max_bytes: "many",
      ttl: "1h",
      on_expired: "dead_letter",
      count_disconnects: false
    })
  })

  it("a form has each field of a policy once", () => {
    const shown = Policies.formGroups.flatMap(({ fields }) => fields.map(({ name }) => name))
    const all = Object.keys(Policy.fields).filter((name) => name !== "match")
    assert.deepStrictEqual(shown.toSorted(), all.toSorted())
  })

  it("what applies is one row for each value, marked where nsqds differ", () => {
    const of = (value: number) => ({ max_depth: { value, match: "a*", source: "api" as const } })
    const rows = Policies.inForce([
      { node: "n1", fields: of(1), error: "" },
      { node: "n2", fields: of(2), error: "" },
      { node: "go", fields: null, error: "" }
    ])
    assert.deepStrictEqual(rows.map(({ differs, nodes, value }) => [value, nodes, differs]), [
      ["1", ["n1"], true],
      ["2", ["n2"], true]
    ])
  })

  it("nsqds that failed, and those with the topic that are missing, have not replied", () => {
    const nodes = [{ node: "n1", fields: {}, error: "" }, { node: "n2", fields: null, error: "timeout" }]
    assert.deepStrictEqual(Policies.pending(nodes, ["n1", "n2", "n3"]), ["n2", "n3"])
    assert.deepStrictEqual(Policies.pending(nodes.slice(0, 1), ["n1"]), [])
  })

  it("the refusal of a policy has its field", () => {
    assert.deepStrictEqual(Policies.problemOf("INVALID_POLICY: ttl: must be 0 or at least 1ms"), {
      field: "ttl",
      why: "must be 0 or at least 1ms"
    })
    assert.isUndefined(Policies.problemOf("FORBIDDEN"))
  })
})
