/**
 * The one list of options that are understood but do nothing yet. Asking for one is answered with a warning when the
 * daemon starts; asking for one that protects something ends the start, because the daemon must never run more open
 * than it was told to. Whoever builds a feature takes its line out.
 */
import type { NsqdOptions } from "./NsqdOptions.ts"

interface PendingFeature {
  readonly flag: string
  readonly requested: (options: NsqdOptions) => boolean
  /** Running without it would leave something unprotected. */
  readonly protects: boolean
}

const pendingFeatures: ReadonlyArray<PendingFeature> = [
  { flag: "--auth-http-address", requested: (o) => o.authHttpAddresses.length > 0, protects: true },
  { flag: "--lookupd-tcp-address", requested: (o) => o.lookupdTcpAddresses.length > 0, protects: false },
  { flag: "--enable-experiment", requested: (o) => o.enableExperiment.length > 0, protects: false }
]

const requested = (options: NsqdOptions, protects: boolean): Array<string> =>
  pendingFeatures
    .filter((feature) => feature.protects === protects && feature.requested(options))
    .map((feature) => feature.flag)

/** What to warn of: features asked for that have no effect. */
export const warnings = (options: NsqdOptions): Array<string> =>
  requested(options, false).map((flag) => `${flag} is not implemented yet and has no effect`)

/** Why not to start: protection asked for that cannot be given; undefined when there is no such reason. */
export const refusal = (options: NsqdOptions): string | undefined => {
  const flags = requested(options, true)
  return flags.length === 0 ? undefined : `${flags.join(", ")} not implemented yet, refusing to run without protection`
}
