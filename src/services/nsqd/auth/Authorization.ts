/**
 * The permissions of one connection: its grant and the grant's expiry. Hot path: publishers mostly publish to one
 * topic, so the last permitted topic is cached.
 */
import type { Credentials } from "./Authorizer.ts"
import type { Grant } from "./Grant.ts"

/** The grant of one connection. */
export class Authorization {
  readonly grant: Grant
  /** For the renewal of the grant after it has expired. */
  readonly credentials: Credentials
  private readonly expires: number
  private permittedTopic: string | undefined

  /** `now` in monotonic ms. */
  constructor(grant: Grant, credentials: Credentials, now: number) {
    this.grant = grant
    this.credentials = credentials
    this.expires = now + grant.ttlMillis
  }

  isExpired(now: number): boolean {
    return now > this.expires
  }

  /** See `Grant.permits`. */
  permits(topic: string, channel: string): boolean {
    if (channel !== "") return this.grant.permits(topic, channel)
    if (topic === this.permittedTopic) return true
    if (!this.grant.permits(topic, "")) return false
    this.permittedTopic = topic
    return true
  }
}
