/** The checks of the daemons of a cluster: whether they can be reached, and whether they agree. */
import { Result } from "effect"
import { isOpen } from "../../net/Exposure.ts"
import { joinAddress } from "../../net/Transport.ts"
import type { Finding } from "./Finding.ts"
import { type Observation, versionOf } from "./Observation.ts"

/** nsqlookupds without a response. */
export const unreachableLookupds = ({ lookupds }: Observation): ReadonlyArray<Finding> =>
  lookupds.flatMap(({ address, nodes }) =>
    Result.isSuccess(nodes) ? [] : [{
      severity: "error",
      check: "unreachable-nsqlookupd",
      subject: `nsqlookupd ${address}`,
      cause: nodes.failure,
      remedy: "start it, or correct the address and the firewall; consumers and producers cannot find nsqds through it"
    }]
  )

/** nsqds that were given by their address and do not respond. */
export const unreachableNsqds = ({ nsqds }: Observation): ReadonlyArray<Finding> =>
  nsqds.flatMap(({ address, info, node }) =>
    node !== undefined || Result.isSuccess(info) ? [] : [{
      severity: "error",
      check: "unreachable-nsqd",
      subject: `nsqd ${address}`,
      cause: info.failure,
      remedy: "start it, or correct the address and the firewall"
    }]
  )

/** Registered host names without an IP address. */
export const unresolvableAddresses = ({ nsqds }: Observation): ReadonlyArray<Finding> =>
  nsqds.flatMap(({ address, unresolved }) =>
    unresolved === undefined ? [] : [{
      severity: "error",
      check: "unresolvable-address",
      subject: `nsqd ${address}`,
      cause: `the broadcast address cannot be resolved: ${unresolved}`,
      remedy: "set --broadcast-address of this nsqd to a name or an IP address that its clients can resolve"
    }]
  )

const isRefused = (failure: string): boolean => /ECONNREFUSED|connection refused/i.test(failure)

/** Entries of nsqlookupd whose host refuses connections to both ports. */
export const deadEntries = ({ nsqds }: Observation): ReadonlyArray<Finding> =>
  nsqds.flatMap(({ address, info, registeredAt, tcpFailure }) =>
    Result.isSuccess(info) || tcpFailure === undefined || !isRefused(tcpFailure) ? [] : [{
      severity: "error",
      check: "dead-entry",
      subject: `nsqd ${address}`,
      cause: `no process listens on its ports, and ${registeredAt.join(", ")} still lists it`,
      remedy:
        "start this nsqd, or correct --broadcast-tcp-port and --broadcast-http-port; the entry of an nsqd that has ended " +
        "is removed after --inactive-producer-timeout of nsqlookupd"
    }]
  )

/** Registered addresses that cannot be connected to, although the name has an IP address and the nsqd is not dead. */
export const unreachableAddresses = (observation: Observation): ReadonlyArray<Finding> => {
  const dead = new Set(deadEntries(observation).map(({ subject }) => subject))
  return observation.nsqds.flatMap(({ address, info, node, tcpFailure, unresolved }) => {
    const subject = `nsqd ${address}`
    if (node === undefined || unresolved !== undefined || dead.has(subject)) return []
    const failures = [
      ...tcpFailure === undefined ? [] : [tcpFailure],
      ...Result.isSuccess(info) || node.http_port <= 0 ? [] : [info.failure]
    ]
    return failures.map((cause): Finding => ({
      severity: "error",
      check: "unreachable-address",
      subject,
      cause,
      remedy:
        "set --broadcast-address, --broadcast-tcp-port and --broadcast-http-port to what clients can reach, or open the firewall"
    }))
  })
}

/** nsqds of other machines that announce a loopback address. */
export const loopbackAddresses = ({ nsqds }: Observation): ReadonlyArray<Finding> =>
  nsqds.flatMap(({ address, node }) =>
    node === undefined || !isOpen(node.remote_address) || isOpen(joinAddress(node.broadcast_address, node.tcp_port))
      ? []
      : [{
        severity: "error",
        check: "loopback-address",
        subject: `nsqd ${address}`,
        cause: `it registers from ${node.remote_address} and announces ${node.broadcast_address}`,
        remedy: "set --broadcast-address of this nsqd to an address that other machines can reach"
      }]
  )

/** nsqds that report trouble, such as a disk that cannot be written. */
export const unhealthyNsqds = ({ nsqds }: Observation): ReadonlyArray<Finding> =>
  nsqds.flatMap(({ address, stats }) =>
    stats === undefined || stats.health === "OK" || stats.health === "" ? [] : [{
      severity: "error",
      check: "unhealthy-nsqd",
      subject: `nsqd ${address}`,
      cause: stats.health,
      remedy: "see the log of this nsqd, and the space and the state of its disk"
    }]
  )

/** nsqds that only some of the nsqlookupds list. */
export const missingRegistrations = ({ lookupds, nsqds }: Observation): ReadonlyArray<Finding> => {
  const reachable = lookupds.filter(({ nodes }) => Result.isSuccess(nodes)).map(({ address }) => address)
  return nsqds.flatMap(({ address, info, registeredAt }) => {
    const missing = reachable.filter((lookupd) => !registeredAt.includes(lookupd))
    if (missing.length === 0 || Result.isFailure(info)) return []
    return [{
      severity: "warning",
      check: "missing-registration",
      subject: `nsqd ${address}`,
      cause: `it is not registered at ${missing.join(", ")}`,
      remedy: "give this nsqd every nsqlookupd as --lookupd-tcp-address, and see its log for failed connections"
    }]
  })
}

const maxSkewMillis = 2000

/** Clocks that differ from the clock of this machine by more than 2 s. */
export const clockSkew = ({ lookupds, nsqds }: Observation): ReadonlyArray<Finding> =>
  [
    ...lookupds.map(({ address, clock }) => ({ subject: `nsqlookupd ${address}`, clock })),
    ...nsqds.map(({ address, clock }) => ({ subject: `nsqd ${address}`, clock }))
  ].flatMap(({ clock, subject }) => {
    if (clock === undefined || Math.abs(clock.offsetMillis) - clock.uncertaintyMillis <= maxSkewMillis) return []
    const seconds = Math.round(Math.abs(clock.offsetMillis) / 1000)
    return [{
      severity: "warning",
      check: "clock-skew",
      subject,
      cause: `its clock is about ${seconds} s ${
        clock.offsetMillis > 0 ? "ahead of" : "behind"
      } the clock of this machine`,
      remedy: "synchronize the clocks of all machines with NTP; timestamps and ages of messages are wrong otherwise"
    }]
  })

const mix = (daemon: string, versions: ReadonlyArray<string>): ReadonlyArray<Finding> => {
  const counts = new Map<string, number>()
  for (const version of versions) counts.set(version, (counts.get(version) ?? 0) + 1)
  if (counts.size < 2) return []
  const listed = [...counts].toSorted(([a], [b]) => a < b ? -1 : 1).map(([version, count]) => `${version} (${count})`)
  return [{
    severity: "warning",
    check: "version-mix",
    subject: daemon,
    cause: `versions differ: ${listed.join(", ")}`,
    remedy: "finish the upgrade, so that all daemons have one version"
  }]
}

/** Daemons of one kind with different versions. */
export const versionMix = ({ lookupds, nsqds }: Observation): ReadonlyArray<Finding> => [
  ...mix("nsqd", nsqds.flatMap(({ info }) => Result.isSuccess(info) ? [versionOf(info.success)] : [])),
  ...mix("nsqlookupd", lookupds.map(({ version }) => version).filter((version) => version !== ""))
]
