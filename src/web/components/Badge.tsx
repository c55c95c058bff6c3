import type { ReactNode } from "react"

export const Badge = ({ children, kind = "plain", title }: {
  readonly kind?: "plain" | "warning" | "error" | "good"
  readonly title?: string
  readonly children: ReactNode
}) => <span className={`badge ${kind}`} title={title}>{children}</span>

export const Paused = ({ paused }: { readonly paused: boolean }) => paused ? <Badge kind="warning">paused</Badge> : null
