import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as NamedClusters from "../../../src/services/nsqadmin/NamedClusters.ts"

const none: NamedClusters.ClusterOptions = {
  lookupdHttpAddresses: [],
  nsqdHttpAddresses: [],
  clusters: [],
  clusterNsqds: []
}

const parse = (options: Partial<NamedClusters.ClusterOptions>) =>
  Result.match(NamedClusters.fromOptions({ ...none, ...options }), {
    onSuccess: (clusters) => clusters.map(({ name, sources: { lookupd, nsqd } }) => `${name}: ${lookupd} | ${nsqd}`),
    onFailure: ({ message }) => message
  })

describe("NamedClusters", () => {
  it("flags without a name are the default cluster, and the others follow in their order", () => {
    assert.deepStrictEqual(parse({ lookupdHttpAddresses: ["a:4161"] }), ["default: a:4161 | "])
    assert.deepStrictEqual(
      parse({
        nsqdHttpAddresses: ["a:4151"],
        clusters: ["west=b:4161,c:4161", "east=d:4161"],
        clusterNsqds: ["lab=e:4151,http://alice:pw@f:4151/?x=1"]
      }),
      ["default:  | a:4151", "west: b:4161,c:4161 | ", "east: d:4161 | ", "lab:  | e:4151,http://alice:pw@f:4151/?x=1"]
    )
  })

  it("a list of the environment, which commas separate, has several addresses for a cluster", () => {
    assert.deepStrictEqual(parse({ clusters: ["west=b:4161", "c:4161", "east=d:4161"] }), [
      "west: b:4161,c:4161 | ",
      "east: d:4161 | "
    ])
  })

  it("names that are not valid, clusters without addresses and those with both kinds are refused", () => {
    for (const value of ["b:4161", "a b=c:4161", "=c:4161", "default=c:4161"]) {
      assert.match(String(parse({ clusters: [value] })), /--cluster must be NAME=host:port/)
    }
    assert.match(String(parse({ clusters: ["west="] })), /the cluster west has no addresses/)
    assert.match(
      String(parse({ clusters: ["west=a:4161"], clusterNsqds: ["west=a:4151"] })),
      /use --cluster or --cluster-nsqd for west, not both/
    )
  })
})
