//! `aurax users`.

use std::sync::Arc;

use aurax::store::{NewUser, Role, User, UserChange};
use aurax::{Error, ErrorKind, Principal, Secret, SystemClock};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::exit::{Done, Failure};
use super::password::Password;
use super::print::at;
use super::shell::{Opened, Shell, account, all};
use super::table::{Side, Table};
use super::unless_interrupted;
use crate::auth::{AccessTokens, INVITATION_TTL};
use crate::boot;
use crate::config::Registration;

const EXAMPLES: &str = "Examples:
  aurax users create ada@example.com --admin             with a password that is shown once
  aurax users create bob@example.com --password-stdin < password.txt
  aurax users invite eve@example.com                     where registration = \"invite\"
  aurax users plan bob@example.com team
  aurax users disable bob@example.com                    and end all logins
  aurax users reset-password ada@example.com";

/// Make and change accounts.
#[derive(Debug, Subcommand)]
#[command(after_long_help = EXAMPLES)]
pub(super) enum Users {
    /// List accounts, the latest made first
    List(List),
    /// Make an account
    Create(Create),
    /// Print an invitation, good for a week, with which that address makes its own account
    Invite(Invite),
    /// Close an account and end its logins
    Disable(One),
    /// Open an account again
    Enable(One),
    /// Give an account a plan
    Plan(Plan),
    /// Say what an account may do
    Role(SetRole),
    /// Give an account another password and end its logins
    ResetPassword(Reset),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// The most that are listed
    #[arg(long, value_name = "N", default_value_t = 200)]
    most: u16,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The address
    email: String,
    /// May run the installation
    #[arg(long)]
    admin: bool,
    /// The plan [default: free]
    #[arg(long)]
    plan: Option<String>,
    /// Read the password from standard input; without it, one is made and shown once
    #[arg(long)]
    password_stdin: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Invite {
    /// The address
    email: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The address
    email: String,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The address
    email: String,
    /// The plan
    plan: String,
}

#[derive(Debug, Args)]
pub(super) struct SetRole {
    /// The address
    email: String,
    /// What it may do
    role: RoleName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    User,
    Admin,
}

#[derive(Debug, Args)]
pub(super) struct Reset {
    /// The address
    email: String,
    /// Read the password from standard input; without it, one is made and shown once
    #[arg(long)]
    password_stdin: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Users {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        let opened = shell.open().await?;
        let done = unless_interrupted(self.work(shell, &opened)).await;
        opened.close(done).await
    }

    async fn work(&self, shell: &Shell, opened: &Opened) -> Done {
        match self {
            Self::List(list) => list.run(shell, opened).await,
            Self::Create(create) => {
                let password = password(opened, create.password_stdin).await?;
                let role = if create.admin {
                    Role::Admin
                } else {
                    Role::User
                };
                let new = NewUser::new(&create.email).with_role(role);
                let secret = Shown { json: create.json };
                secret
                    .add(shell, opened, new, create.plan.as_deref(), password)
                    .await
            }
            Self::Invite(invite) => invite.run(shell, opened).await,
            Self::Disable(one) => {
                let mut change = UserChange::default();
                change.is_active = Some(false);
                let user = changed(opened, &one.email, change).await?;
                let ended = scope(opened, &user).end_logins().await?;
                shell
                    .out
                    .line(format!("{} is closed, {ended} logins ended", user.email))
            }
            Self::Enable(one) => {
                let mut change = UserChange::default();
                change.is_active = Some(true);
                let user = changed(opened, &one.email, change).await?;
                shell.out.line(format!("{} is open", user.email))
            }
            Self::Plan(plan) => {
                let mut change = UserChange::default();
                change.plan_type = Some(known_plan(opened, &plan.plan).await?);
                let user = changed(opened, &plan.email, change).await?;
                shell
                    .out
                    .line(format!("{} is on the plan {}", user.email, user.plan_type))
            }
            Self::Role(set) => {
                let mut change = UserChange::default();
                change.role = Some(match set.role {
                    RoleName::User => Role::User,
                    RoleName::Admin => Role::Admin,
                });
                let user = changed(opened, &set.email, change).await?;
                shell
                    .out
                    .line(format!("{} is {}", user.email, user.role.as_str()))
            }
            Self::ResetPassword(reset) => reset.run(shell, opened).await,
        }
    }
}

async fn password(opened: &Opened, from_stdin: bool) -> Done<Password> {
    match from_stdin {
        true => Password::from_stdin(&opened.config).await,
        false => Password::generated(),
    }
}

fn scope(opened: &Opened, user: &User) -> aurax::store::UserScope {
    opened.store.user(&Principal::new(user.id.to_string()))
}

async fn changed(opened: &Opened, email: &str, change: UserChange) -> Done<User> {
    let user = account(&opened.store, email).await?;
    Ok(opened.store.admin().change_user(user.id, change).await?)
}

/// A plan that there is.
async fn known_plan(opened: &Opened, name: &str) -> Done<String> {
    let plans = opened.store.admin().plans().await?;
    if plans.iter().any(|plan| plan.name == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<_> = plans.into_iter().map(|plan| plan.name).collect();
    let failure = Failure::not_found(format!("there is no plan `{name}`"));
    Err(failure.with_hint(format!("there are {}", names.join(", "))))
}

/// A password that is made here and shown once.
struct Shown {
    json: bool,
}

impl Shown {
    async fn add(
        &self,
        shell: &Shell,
        opened: &Opened,
        mut new: NewUser,
        plan: Option<&str>,
        password: Password,
    ) -> Done {
        is_address(&new.email)?;
        if let Some(plan) = plan {
            new.plan_type = known_plan(opened, plan).await?;
        }
        let (hash, made) = password.hash().await?;
        let user = opened
            .store
            .admin()
            .add_user(new.with_hashed_password(hash))
            .await?;
        self.show(shell, &user, "made", made.as_deref().map(String::as_str))
    }

    fn show(&self, shell: &Shell, user: &User, what: &str, made: Option<&str>) -> Done {
        let out = &shell.out;
        if self.json {
            return out.json(&json!({"user": user, "password": made}));
        }
        let role = user.role.as_str();
        out.line(format!(
            "{what} {} ({role}, plan {})",
            user.email, user.plan_type
        ))?;
        let Some(made) = made else {
            return Ok(());
        };
        out.line(format!("password: {made}"))?;
        out.remark("it is shown this once");
        Ok(())
    }
}

fn is_address(email: &str) -> Done {
    let (name, host) = email.trim().rsplit_once('@').unwrap_or_default();
    let is_plain = |text: &str| {
        let steers = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        !text.is_empty() && !text.contains(steers)
    };
    match is_plain(name) && is_plain(host) {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "`{}` is no address",
            email.escape_debug()
        ))),
    }
}

impl Invite {
    async fn run(&self, shell: &Shell, opened: &Opened) -> Done {
        is_address(&self.email)?;
        let config = &opened.config;
        if opened.store.admin().login(&self.email).await?.is_some() {
            let message = format!("`{}` has an account already", self.email);
            return Err(Error::new(ErrorKind::Conflict, message).into());
        }
        let keys = boot::open_signing_keys(config)?;
        // Servers have to know the key for as long as the invitation is good, whoever has it then.
        let until = shell.now() + INVITATION_TTL;
        keys.share(&opened.store, until).await?;
        let ttl = config.auth.access_token_ttl;
        let tokens = AccessTokens::new(keys, config.public_url(), ttl, Arc::new(SystemClock));
        let invitation = tokens.invite(&self.email)?;
        let out = &shell.out;
        match self.json {
            true => out.json(&json!({"email": self.email, "invitation": shown(&invitation)}))?,
            false => out.line(shown(&invitation))?,
        }
        let days = INVITATION_TTL.as_secs() / (24 * 60 * 60);
        out.remark(format!(
            "good for {days} days, for {} at {}: it goes with POST /auth/register as `invitation`",
            self.email,
            config.public_url()
        ));
        if config.registration() != Registration::Invite {
            out.remark("note: the server takes invitations where registration = \"invite\"");
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an invitation is handed to whoever asked for it"
)]
fn shown(invitation: &Secret) -> &str {
    invitation.expose()
}

impl List {
    async fn run(&self, shell: &Shell, opened: &Opened) -> Done {
        let admin = opened.store.admin();
        let users = all(usize::from(self.most), |page| {
            let admin = admin.clone();
            async move { admin.users(&page).await }
        })
        .await?;
        let mut table = Table::new([
            ("EMAIL", Side::Left),
            ("ROLE", Side::Left),
            ("PLAN", Side::Left),
            ("OPEN", Side::Left),
            ("MADE (UTC)", Side::Left),
            ("ID", Side::Left),
        ]);
        for user in &users {
            if self.json {
                shell.out.json(user)?;
                continue;
            }
            table.row([
                user.email.clone(),
                user.role.as_str().to_owned(),
                user.plan_type.clone(),
                if user.is_active { "yes" } else { "no" }.to_owned(),
                at(user.created_at),
                user.id.to_string(),
            ]);
        }
        match (self.json, users.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => shell.out.line("there are no accounts"),
            (false, false) => table.print(&shell.out),
        }
    }
}

impl Reset {
    async fn run(&self, shell: &Shell, opened: &Opened) -> Done {
        let user = account(&opened.store, &self.email).await?;
        let password = password(opened, self.password_stdin).await?;
        let (hash, made) = password.hash().await?;
        opened.store.admin().reset_password(user.id, hash).await?;
        let shown = Shown { json: self.json };
        shown.show(shell, &user, "reset", made.as_deref().map(String::as_str))?;
        shell.out.remark("all its logins ended");
        Ok(())
    }
}
