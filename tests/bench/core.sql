-- The core of billing a month, as a textbook would write it. What it leaves out: whatever the
-- benchmark's months do not hold (open sessions, assignments, other time zones), R4.2, and all that
-- comes after the measuring.

create temp table catalogue (meter varchar, measure varchar, routing varchar);
insert into catalogue values
    ('standard_agent', 'agents', 'subscription'),
    ('premium_agent', 'agents', 'subscription'),
    ('ivr_port', 'peak', 'subscription'),
    ('toll_free_call', 'peak', 'subscription'),
    ('ivr_outbound_port', 'peak', 'subscription'),
    ('ai_agent', 'sum', 'subscription'),
    ('ai_assistant', 'sum', 'subscription'),
    ('recording_storage', 'sum', 'subscription'),
    ('connect_sms', 'sum', 'primary'),
    ('connect_whatsapp', 'sum', 'primary');

create temp table subscription as
select * from read_csv(getvariable('feeds') || '/subscriptions.csv', header = true);

create temp table entitlement as
select * from read_csv(getvariable('feeds') || '/entitlements.csv', header = true);

create temp table calendar as
select unnest(generate_series(date '2026-10-01', date '2026-10-31', interval 1 day))::date as day;

-- R1: the days on which each subscription is active, and its age.
create temp table active as
select tenant_id, subscription_id, day, age
from subscription
join (
    select tenant_id, subscription_id, min(start_date) as age from subscription group by all
) using (tenant_id, subscription_id)
join calendar on day between start_date and coalesce(end_date, date '9999-12-31');

-- R2: the oldest active subscription of each day.
create temp table foremost as
select tenant_id, day, subscription_id
from active
qualify row_number() over (partition by tenant_id, day order by age, subscription_id) = 1;

-- R5: what a tenant may use of each meter on each day; two ports come with each agent.
create temp table included as
with own as (
    select tenant_id, meter, day, sum(quantity)::bigint as quantity
    from entitlement
    join active using (tenant_id, subscription_id)
    group by all
),
ports as (
    select tenant_id, 'ivr_port' as meter, day, 2 * sum(quantity)::bigint as quantity
    from own
    where meter in ('standard_agent', 'premium_agent')
    group by all
)
select tenant_id, meter, day, sum(quantity)::bigint as quantity
from (from own union all from ports)
group by all;

-- R11: rows that break no rule, one an event: the last export wins.
create temp table usage as
select
    tenant_id, subscription_id, meter, measure, routing, user_id, quantity,
    greatest(started_at, timestamptz '2026-10-01 00:00:00+00') as started_at,
    least(ended_at, timestamptz '2026-11-01 00:00:00+00') as ended_at,
from (
    select usage.*, measure, routing
    from read_parquet(
        getvariable('feeds') || '/usage/*.parquet', filename = true, file_row_number = true
    ) as usage
    join catalogue using (meter)
    where event_id is not null
        and tenant_id in (select tenant_id from subscription)
        and started_at is not null
        and coalesce(ended_at >= started_at, true)
        and coalesce(quantity >= 0, true)
        and (measure <> 'sum' or quantity is not null)
    qualify row_number() over (
        partition by tenant_id, event_id order by filename desc, file_row_number desc
    ) = 1
)
where started_at < timestamptz '2026-11-01 00:00:00+00'
    and if(
        measure = 'sum',
        started_at >= timestamptz '2026-10-01 00:00:00+00',
        ended_at > timestamptz '2026-10-01 00:00:00+00'
    );

-- R3: the subscription that a row names, if it is active on that day, else the primary.
create temp table split as
select
    usage.* exclude (subscription_id),
    if(routing = 'primary', null, active.subscription_id) as named,
    coalesce(named, foremost.subscription_id) as subscription_id
from usage
join foremost on foremost.tenant_id = usage.tenant_id and foremost.day = started_at::date
left join active on active.tenant_id = usage.tenant_id
    and active.subscription_id = usage.subscription_id and active.day = started_at::date;

-- R4, R6: how many sessions are open at each instant, and how many beyond what is included.
create temp table peaks as
with change as (
    select tenant_id, meter, started_at as instant, 1 as change from split where measure <> 'sum'
    union all
    select tenant_id, meter, ended_at as instant, -1 as change from split where measure <> 'sum'
    union all
    select tenant_id, meter, day::timestamptz as instant, 0 as change
    from (select distinct tenant_id, meter from split where measure <> 'sum') cross join calendar
),
course as (
    select
        tenant_id, meter, instant,
        sum(change) over (partition by tenant_id, meter order by instant) as open
    from change
    where instant < timestamptz '2026-11-01 00:00:00+00'
)
select
    course.tenant_id, course.meter,
    max(open) as peak,
    greatest(0, max(open - coalesce(quantity, 0))) as excess
from course
left join included on included.tenant_id = course.tenant_id
    and included.meter = course.meter and included.day = instant::date
group by all;

create temp table figures as
select 'sum' as figure, tenant_id, meter, subscription_id, sum(quantity)::varchar as value
from split where measure = 'sum' group by all
union all
select 'users', tenant_id, meter, '', count(distinct user_id)::varchar
from split where measure = 'agents' group by all
union all
select 'peak', tenant_id, meter, '', peak::varchar from peaks
union all
select 'excess', tenant_id, meter, '', excess::varchar from peaks;
