/**
 * The clusters of one nsqadmin (docs/nsqadmin.md#several-clusters). The first is at the base path, each other one below
 * `/clusters/NAME`, with pages, API, samples, history and alerts of its own.
 */
import { Context, Result } from "effect"
import type { Sources } from "../cluster/ClusterSources.ts"
import { type OptionsError, refusedValue } from "../options/OptionsError.ts"

/** A cluster and the daemons through which it is found. */
export interface NamedCluster {
  readonly name: string
  readonly sources: Sources
}

/** The name of the cluster of `--lookupd-http-address` and `--nsqd-http-address`. */
export const defaultName = "default"

/** The options that name daemons. */
export interface ClusterOptions {
  readonly lookupdHttpAddresses: ReadonlyArray<string>
  readonly nsqdHttpAddresses: ReadonlyArray<string>
  readonly clusters: ReadonlyArray<string>
  readonly clusterNsqds: ReadonlyArray<string>
}

/** The beginning of a value. An address has no equals sign before its port. */
const namedValue = /^([^=:/?@]*)=(.*)$/s

const validName = /^[\w.-]{1,64}$/

/** Adds the addresses of a flag to the clusters that they belong to. Returns the error of the first invalid value. */
const addAddresses = (
  found: Map<string, { lookupd: Array<string>; nsqd: Array<string> }>,
  flag: string,
  kind: "lookupd" | "nsqd",
  values: ReadonlyArray<string>
): OptionsError | undefined => {
  let name: string | undefined
  // The environment and config files separate clusters by commas as well: what has no name belongs to the cluster before.
  for (const part of values.flatMap((value) => value.split(","))) {
    const [, given, rest = part] = namedValue.exec(part) ?? []
    name = given ?? name
    if (name === undefined || !validName.test(name) || name === defaultName) {
      return refusedValue(
        `--${flag} must be NAME=host:port,host:port with a name of up to 64 letters, digits, ".", "_" or "-" other than ` +
          `"${defaultName}"`
      )
    }
    const cluster = found.get(name) ?? { lookupd: [], nsqd: [] }
    found.set(name, cluster)
    if (rest !== "") cluster[kind].push(rest)
  }
  return undefined
}

/** Returns the clusters of the options, the one at the base path first. Fails for invalid names and combinations. */
export const fromOptions = (
  { clusterNsqds, clusters, lookupdHttpAddresses: lookupd, nsqdHttpAddresses: nsqd }: ClusterOptions
): Result.Result<ReadonlyArray<NamedCluster>, OptionsError> => {
  const found = new Map<string, { lookupd: Array<string>; nsqd: Array<string> }>()
  const isDefault = lookupd.length > 0 || nsqd.length > 0
  const problem = addAddresses(found, "cluster", "lookupd", clusters) ??
    addAddresses(found, "cluster-nsqd", "nsqd", clusterNsqds)
  if (problem !== undefined) return Result.fail(problem)
  for (const [name, sources] of found) {
    if (sources.lookupd.length > 0 && sources.nsqd.length > 0) {
      return Result.fail(refusedValue(`use --cluster or --cluster-nsqd for ${name}, not both`))
    }
    if (sources.lookupd.length + sources.nsqd.length === 0) {
      return Result.fail(refusedValue(`the cluster ${name} has no addresses`))
    }
  }
  const named = Array.from(found, ([name, sources]) => ({ name, sources }))
  return Result.succeed(isDefault ? [{ name: defaultName, sources: { lookupd, nsqd } }, ...named] : named)
}

/** A cluster, and the path of its pages and API with the base path. */
export interface ClusterPath {
  readonly name: string
  readonly basePath: string
}

/** The cluster that pages and API show, and all clusters. */
export interface ShownCluster {
  readonly name: string
  readonly all: ReadonlyArray<ClusterPath>
}

/** The cluster of a page. Default: one without a name. */
export const ShownCluster: Context.Reference<ShownCluster> = Context.Reference<ShownCluster>(
  "effect-nsq/admin/ShownCluster",
  { defaultValue: () => ({ name: "", all: [] }) }
)

/** Returns the paths of clusters; only the first is at the base path. */
export const pathsOf = (clusters: ReadonlyArray<NamedCluster>, basePath: string): ReadonlyArray<ClusterPath> =>
  clusters.map(({ name }, i) => ({ name, basePath: i === 0 ? basePath : `${basePath}/clusters/${name}` }))
