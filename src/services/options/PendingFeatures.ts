/**
 * The one list of options that are understood but do nothing yet. Asking for one is answered with a warning when the
 * daemon starts. Whoever builds a feature takes its line out. An option that protects something has no place here: the
 * daemon must never run more open than it was told to.
 */
import type { NsqdOptions } from "./NsqdOptions.ts"

interface PendingFeature {
  readonly flag: string
  readonly requested: (options: NsqdOptions) => boolean
}

const pendingFeatures: ReadonlyArray<PendingFeature> = [
  { flag: "--lookupd-tcp-address", requested: (o) => o.lookupdTcpAddresses.length > 0 }
]

/** What to warn of: features asked for that have no effect. */
export const warnings = (options: NsqdOptions): Array<string> =>
  pendingFeatures
    .filter((feature) => feature.requested(options))
    .map(({ flag }) => `${flag} is not implemented yet and has no effect`)
