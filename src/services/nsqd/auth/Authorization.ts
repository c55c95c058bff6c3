/**
 * What one connection may do: the grant it has got and until when. Hot path: publishers mostly publish to one topic, and
 * that it is permitted is remembered.
 */
import type { Credentials } from "./Authorizer.ts"
import type { Grant } from "./Grant.ts"

export class Authorization {
  readonly grant: Grant
  /** To ask again when the time is over. */
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
