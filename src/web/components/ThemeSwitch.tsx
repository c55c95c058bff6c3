import { type ReactNode, useEffect, useState } from "react"

const key = "nsqadmin-theme"
const themes = ["auto", "light", "dark"] as const
type Theme = typeof themes[number]

const stored = (): Theme => themes.find((theme) => theme === localStorage.getItem(key)) ?? "auto"

const apply = (theme: Theme): void => {
  document.documentElement.dataset["theme"] = theme
}

// Runs before the first rendering, so that the page does not flash in the other theme.
apply(stored())

const Icon = ({ children }: { readonly children: ReactNode }) => (
  <svg
    width="16"
    height="16"
    viewBox="0 0 16 16"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.5"
    aria-hidden="true"
  >
    {children}
  </svg>
)

const icons: { readonly [T in Theme]: ReactNode } = {
  auto: (
    <Icon>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" />
    </Icon>
  ),
  light: (
    <Icon>
      <circle cx="8" cy="8" r="3" />
      <path d="M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.4 1.4M11.6 11.6 13 13M3 13l1.4-1.4M11.6 4.4 13 3" />
    </Icon>
  ),
  dark: (
    <Icon>
      <path d="M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z" />
    </Icon>
  )
}

const names: { readonly [T in Theme]: string } = {
  auto: "Theme of the system",
  light: "Light theme",
  dark: "Dark theme"
}

/** Buttons for the theme: light, dark, or the one of the system (`auto`, the default). The browser stores the choice. */
export const ThemeSwitch = () => {
  const [theme, setTheme] = useState(stored)
  useEffect(() => {
    apply(theme)
    localStorage.setItem(key, theme)
  }, [theme])
  return (
    <div className="themes" role="group" aria-label="Theme">
      {themes.map((one) => (
        <button
          key={one}
          type="button"
          title={names[one]}
          aria-label={names[one]}
          aria-pressed={theme === one}
          onClick={() => setTheme(one)}
        >
          {icons[one]}
        </button>
      ))}
    </div>
  )
}
