import { type ReactNode, useState } from "react"

/** A part of a page that unfolds. What is in it exists only while it is open. */
export const Section = ({ children, summary }: { readonly summary: ReactNode; readonly children: ReactNode }) => {
  const [isOpen, setOpen] = useState(false)
  return (
    <details className="section" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{summary}</summary>
      {isOpen && children}
    </details>
  )
}
