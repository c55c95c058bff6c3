/**
 * Chooses the address for the next message by the modes of NSQ's tools (docs/protocol/tools.md#modes): each in turn; each in
 * turn without failed ones; or fast ones more often. Pure: the time and random numbers are parameters.
 */

/** A chosen address, and the callback for its result. */
export interface Choice {
  readonly index: number
  readonly address: string
  /** Must be called once with the result. */
  readonly mark: (succeeded: boolean) => void
}

/** Returns the next choice. */
export type AddressPool = () => Choice

/** Sources of time, in monotonic ms, and of random numbers from 0 to 1. */
export interface Circumstances {
  readonly now: () => number
  readonly random: () => number
}

/** Returns the pool of a mode; unknown modes are round-robin. Needs at least one address. */
export const make = (mode: string, addresses: ReadonlyArray<string>, circumstances: Circumstances): AddressPool => {
  switch (mode) {
    case "hostpool":
      return avoidingFailures(addresses, circumstances.now)
    case "epsilon-greedy":
      return preferringFast(addresses, circumstances)
    default:
      return inTurn(addresses)
  }
}

/** Round-robin. As in NSQ, the first message goes to the second address. */
const inTurn = (addresses: ReadonlyArray<string>): AddressPool => {
  let turn = 0
  return () => {
    turn = (turn + 1) % addresses.length
    return { index: turn, address: addresses[turn] ?? "", mark: () => {} }
  }
}

const firstRetryMillis = 30_000
const longestRetryMillis = 900_000

/** An address and its failures. */
class Host {
  readonly index: number
  readonly address: string
  isDead = false
  retryAt = 0
  private retryDelay = firstRetryMillis

  constructor(address: string, index: number) {
    this.address = address
    this.index = index
  }

  canBeTried(now: number): boolean {
    return !this.isDead || this.retryAt < now
  }

  /** Called before a try. A dead address is then not tried again until its next delay, twice as long, is over. */
  tried(now: number): void {
    if (!this.isDead) return
    this.retryDelay = Math.min(this.retryDelay * 2, longestRetryMillis)
    this.retryAt = now + this.retryDelay
  }

  mark(succeeded: boolean, now: number): void {
    if (succeeded) {
      this.isDead = false
    } else if (!this.isDead) {
      this.isDead = true
      this.retryDelay = firstRetryMillis
      this.retryAt = now + this.retryDelay
    }
  }
}

/** Returns the next host that can be tried. If all are dead, all are revived. */
const rotation = (hosts: ReadonlyArray<Host>) => {
  let next = 0
  return (now: number): Host => {
    for (let i = 0; i < hosts.length; i++) {
      const host = hosts[(next + i) % hosts.length]
      if (host === undefined || !host.canBeTried(now)) continue
      host.tried(now)
      next = host.index + 1
      return host
    }
    for (const host of hosts) host.isDead = false
    next = 0
    return hosts[0] ?? new Host("", 0)
  }
}

const avoidingFailures = (addresses: ReadonlyArray<string>, now: () => number): AddressPool => {
  const choose = rotation(addresses.map((address, index) => new Host(address, index)))
  return () => {
    const host = choose(now())
    return { index: host.index, address: host.address, mark: (succeeded) => host.mark(succeeded, now()) }
  }
}

const bucketCount = 120
const bucketMillis = 5 * 60_000 / bucketCount
const firstExploration = 0.3
const explorationDecay = 0.9
const leastExploration = 0.01

/** Mean response times of the last five minutes, weighted towards the recent. */
class ResponseTimes {
  private readonly counts = new Float64Array(bucketCount)
  private readonly sums = new Float64Array(bucketCount)
  private bucket = 0

  add(millis: number, now: number): void {
    this.advance(now)
    const i = this.bucket % bucketCount
    this.counts[i] = (this.counts[i] ?? 0) + 1
    this.sums[i] = (this.sums[i] ?? 0) + millis
  }

  /** Returns the weighted mean in ms; 0 without responses. */
  weighted(now: number): number {
    this.advance(now)
    let sum = 0
    let last = 0
    for (let i = 1; i <= bucketCount; i++) {
      const position = (this.bucket + i) % bucketCount
      const count = this.counts[position] ?? 0
      if (count > 0) last = (this.sums[position] ?? 0) / count
      sum += last * i / bucketCount
    }
    return sum
  }

  /** Clears buckets that are older than five minutes. */
  private advance(now: number): void {
    const bucket = Math.floor(now / bucketMillis)
    const passed = Math.min(bucket - this.bucket, bucketCount)
    for (let i = 0; i < passed; i++) {
      this.counts[(bucket - i) % bucketCount] = 0
      this.sums[(bucket - i) % bucketCount] = 0
    }
    this.bucket = Math.max(bucket, this.bucket)
  }
}

/**
 * Epsilon-greedy: chooses at random in proportion to speed, and round-robin with a decreasing probability, which measures all
 * addresses.
 */
const preferringFast = (addresses: ReadonlyArray<string>, { now, random }: Circumstances): AddressPool => {
  const hosts = addresses.map((address, index) => new Host(address, index))
  const times = hosts.map(() => new ResponseTimes())
  const choose = rotation(hosts)
  let exploration = firstExploration

  const fastest = (at: number): Host | undefined => {
    const candidates: Array<{ readonly host: Host; readonly speed: number }> = []
    let total = 0
    for (const host of hosts) {
      const time = host.canBeTried(at) ? times[host.index]?.weighted(at) ?? 0 : 0
      if (time <= 0) continue
      candidates.push({ host, speed: 1 / time })
      total += 1 / time
    }
    let left = random() * total
    for (const { host, speed } of candidates) {
      left -= speed
      if (left <= 0) return host
    }
    return candidates.at(-1)?.host
  }

  const pick = (at: number): Host => {
    if (random() < exploration) {
      exploration = Math.max(exploration * explorationDecay, leastExploration)
      return choose(at)
    }
    const host = fastest(at)
    if (host === undefined) return choose(at)
    host.tried(at)
    return host
  }

  return () => {
    const started = now()
    const host = pick(started)
    const mark = (succeeded: boolean): void => {
      const ended = now()
      host.mark(succeeded, ended)
      if (succeeded) times[host.index]?.add(ended - started, ended)
    }
    return { index: host.index, address: host.address, mark }
  }
}
